"""The dialect of the message bus: what VNF managers made for Fenix and orchestrators are told, told to whoever listens there.

It has no answers. What a broker took and no queue wants counts as not delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.notice import Notice, NoticeState, NoticeType, Vnfm
from escalator.storage.port import Store
from escalator.vim_interface.fenix.bus import OF, Message, for_administrators, for_projects
from escalator.vim_interface.fenix.hints import Hints


class Broker(Protocol):
    """Where messages are published."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return when the broker has confirmed all. Raises TemporaryError."""
        ...

    async def test(self) -> None:
        """See whether it could. Raises TemporaryError."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...


class FenixBus:
    """Speaks to the message bus. `base_url` is where VNF managers reach Escalator."""

    def __init__(self, broker: Broker, store: Store, clock: Clock, base_url: str, project: str | None) -> None:
        self._broker = broker
        self._store = store
        self._clock = clock
        self._base_url = base_url
        self._project = project
        self._hints = Hints(store)

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """Publish; raises TemporaryError while the broker is away, PermanentError for a question nobody can answer any more."""
        del vnfm
        asked = notice.type is NoticeType.PROJECT_EVENT
        messages = await self._repeated(notice) if asked else for_administrators(notice, self._project)
        if messages:
            await self._broker.publish(messages)

    async def test(self, vnfm: Vnfm) -> None:
        """See whether the broker takes messages for the exchange."""
        del vnfm
        await self._broker.test()

    async def close(self) -> None:
        """End the connection."""
        await self._broker.close()

    async def _repeated(self, notice: Notice) -> list[Message]:
        source = await self._store.notices.get(notice.details.get(OF, ""))
        vnfm = None if source is None else await self._store.vnfms.get(source.vnfm)
        if source is None or vnfm is None:
            # Not VIM_NOT_FOUND: that is said of who is told, may pass, and holds up all that comes after.
            raise PermanentError(Code.VIM_LATE, "The VNF manager that it repeats is not registered any more.")
        if source.reply_by is not None and (source.reply_by <= self._clock.now() or source.state is NoticeState.CANCELLED):
            raise PermanentError(Code.VIM_LATE, "It is withdrawn, or its time to reply has passed.")
        return for_projects(source, vnfm, self._base_url, await self._hints.of(source.campaign))
