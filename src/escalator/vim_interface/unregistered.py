"""A VNF manager that is registered no more answers nothing: who waits for it hears so, and what it was asked is withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import structlog

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.notice import Notice, NoticeState
from escalator.model.progress import Event
from escalator.storage.port import Store
from escalator.vim_interface.grace import awaited
from escalator.vim_interface.negotiation import OPEN, is_deferred
from escalator.vim_interface.outbox import Outbox
from escalator.vim_interface.registry import Registry

READABLE: Final = "readable"
"""Key in a withdrawn notice's details: who has its address may read it, as its VNF manager showed no credential either."""

_log = structlog.get_logger()


class Unregistered:
    """Removes registrations, and withdraws the questions that are open to whom nobody knows any more."""

    def __init__(self, registry: Registry, store: Store, outbox: Outbox, clock: Clock) -> None:
        self._registry = registry
        self._store = store
        self._outbox = outbox
        self._clock = clock

    async def remove(self, name: str, versions: Collection[str] | None = None) -> int:
        """Forget a registration; how many open notices were withdrawn with it. Raises what `Registry.remove` raises.

        It is not told: it may be why it was removed that it takes nothing, and whether its instances are left alone now is
        for policy to say.
        """
        known = await self._store.vnfms.get(name)
        await self._registry.remove(name, versions)
        open_to = known is not None and known.spec.subscription.replies is None
        return await self._withdraw(lambda notice: notice.vnfm == name, {READABLE: "yes"} if open_to else {})

    async def withdraw_left(self) -> None:
        """After a start: what a server that ended in the midst of a removal has left open."""
        known = {vnfm.name for vnfm in await self._store.vnfms.list()}
        await self._withdraw(lambda notice: notice.vnfm not in known, {})

    async def _withdraw(self, concerns: Callable[[Notice], bool], details: dict[str, str]) -> int:
        found = [n for n in await awaited(self._store) if n.reply_token is not None and concerns(n)]
        return sum([await self._withdrawn(notice, details) for notice in found])

    async def _withdrawn(self, notice: Notice, details: dict[str, str]) -> bool:
        error = f"{notice.vnfm} is not registered any more."
        event = Event(
            at=self._clock.now(),
            action="notice.withdrawn",
            campaign=notice.campaign,
            node=notice.node,
            object_id=notice.id,
            outcome="cancelled",
            code=Code.VIM_NOT_FOUND.value,
            message=f"nobody waits for {notice.vnfm}: it is not registered any more",
        )
        states = (NoticeState.ANSWERED,) if is_deferred(notice) and notice.state is NoticeState.ANSWERED else OPEN
        row = await self._store.notices.update(
            notice.id,
            states,
            (event,),
            state=NoticeState.CANCELLED,
            error_code=Code.VIM_NOT_FOUND.value,
            error=error,
            details={**notice.details, **details},
        )
        if row is None:
            return False
        _log.info("notice.withdrawn", object_id=row.id, vnfm=row.vnfm, campaign=row.campaign, node=row.node)
        self._outbox.forget(row)
        self._outbox.settled(row)
        return True
