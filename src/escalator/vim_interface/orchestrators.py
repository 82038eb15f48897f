"""Orchestrators: who they are, and telling them. They are never asked, and nothing waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.model.notice import FOR_ORCHESTRATORS, Notice
from escalator.storage.port import Store
from escalator.vim_interface.facts import Fact
from escalator.vim_interface.fenix.bus import repeating
from escalator.vim_interface.outbox import Outbox
from escalator.vim_interface.registry import BUS, Registry
from escalator.vim_interface.reports import Report, before, id_of, noticed, report_of, subscription_uri

KNOWN_S = 5.0
"""How long it is remembered who they are, so that a cloud without one does not pay for each move. What is registered here
counts at once; what another replica registers, after this."""
_TICK_S = 1e-6
"""Notices are told in the order of their making: no two are made at the same time."""


class Orchestrators:
    """The registered orchestrators of one VIM Interface."""

    def __init__(self, registry: Registry, store: Store, outbox: Outbox, clock: Clock, base_url: str) -> None:
        self._registry = registry
        self._notices = store.notices
        self._vnfms = store.vnfms
        self._outbox = outbox
        self._clock = clock
        self._base_url = base_url
        self._names: tuple[str, ...] = ()
        self._known: tuple[int, float] | None = None
        self._made_at = 0.0

    async def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        now, revision = self._clock.now(), self._registry.revision
        if self._known is None or self._known[0] != revision or not 0.0 <= now - self._known[1] < KNOWN_S:
            self._names = await self._registry.orchestrators()
            self._known = (revision, now)
        return self._names

    async def repeated(self, notices: Sequence[Notice]) -> list[Notice]:
        """What the message bus is told, where there is one, with these notices to VNF managers."""
        if BUS not in await self.names():
            return []
        fenix = await self._registry.of_dialect("fenix")
        return [replace(notice, created_at=await self._make()) for notice in repeating(notices, fenix, BUS)]

    async def tell(self, fact: Fact) -> None:
        """Put a fact into the outbox for each of them; the same fact again changes nothing."""
        names: Sequence[str] = await self.names()
        if not names:
            return
        report = report_of(fact)
        beginning = before(fact)
        if beginning is not None:
            names = await self._told(beginning, names)
        made_at = await self._make()
        await self._outbox.add(noticed(report, names, made_at, self._clock.now()))

    async def _make(self) -> float:
        """The moment at which the next notice is made, Unix seconds: later than that of every notice before."""
        if not self._made_at:
            # Later than what an earlier server made, too, whatever has become of the clock since.
            self._made_at = max([self._made_at, *(notice.created_at for notice in await self._notices.list(limit=1))])
        self._made_at = max(self._clock.now(), self._made_at + _TICK_S)
        return self._made_at

    async def subscription(self, name: str) -> dict[str, Any]:
        """Show an orchestrator that it is registered, and what it is told. Raises NotFoundError."""
        found = await self._vnfms.get(name)
        if found is None or not found.spec.orchestrator:
            raise NotFoundError(Code.VIM_NOT_FOUND, f"There is no subscription {name!r}.")
        kinds = sorted(kind.value for kind in FOR_ORCHESTRATORS)
        return {"id": name, "notificationTypes": kinds, "_links": {"self": {"href": subscription_uri(self._base_url, name)}}}

    async def _told(self, report: Report, names: Sequence[str]) -> list[str]:
        """Those who have the notice of an earlier report, or will have it."""
        return [name for name in names if await self._notices.get(id_of(report, name)) is not None]
