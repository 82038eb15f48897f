"""Which running operations concern which instances: asked where the registration says, and not for every instance anew."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import structlog

from escalator.model.clock import Clock
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Instance
from escalator.model.notice import Vnfm
from escalator.storage.port import Vnfms
from escalator.vim_interface.operations.port import Operation, OperationsSource
from escalator.vim_interface.registry import Ownership

AGE_S = 5.0
"""How old an answer may be: a node with many instances asks once for all, and what begins now is seen before the next one."""
_log = structlog.get_logger()


class Operations:
    """The running operations of all VNF managers."""

    def __init__(self, vnfms: Vnfms, sources: Sequence[OperationsSource], clock: Clock) -> None:
        self._vnfms = vnfms
        self._sources = sources
        self._clock = clock
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._watched: tuple[float, Ownership, dict[str, Vnfm]] | None = None
        self._known: dict[str, tuple[float, Sequence[Operation]]] = {}

    async def concerning(self, instances: Sequence[Instance]) -> tuple[Operation, ...]:
        """What is under way at the VNFs of these instances. What cannot be told counts as under way."""
        if not self._sources:
            return ()
        ownership, watched = await self._registrations()
        if not watched:
            return ()
        found: list[Operation] = []
        for instance in instances:
            owner = watched.get(ownership.owner(instance) or "")
            if owner is not None:
                found += [operation for operation in await self._running(owner) if operation.concerns(instance)]
        return tuple(dict.fromkeys(found))

    async def _registrations(self) -> tuple[Ownership, dict[str, Vnfm]]:
        """Who owns what, and the VNF managers whose operations can be seen."""
        now = self._clock.now()
        if self._watched is None or now - self._watched[0] > AGE_S:
            vnfms = list(await self._vnfms.list())
            watched = {vnfm.name: vnfm for vnfm in vnfms if any(source.watches(vnfm) for source in self._sources)}
            self._watched = (now, Ownership.of(vnfms), watched)
        return self._watched[1], self._watched[2]

    async def _running(self, vnfm: Vnfm) -> Sequence[Operation]:
        async with self._turns[vnfm.name]:
            known = self._known.get(vnfm.name)
            if known is None or self._clock.now() - known[0] > AGE_S:
                found = await self._ask(vnfm)
                known = self._known[vnfm.name] = (self._clock.now(), found)
            return known[1]

    async def _ask(self, vnfm: Vnfm) -> Sequence[Operation]:
        found: list[Operation] = []
        for source in self._sources:
            if not source.watches(vnfm):
                continue
            try:
                found += await source.running(vnfm)
            except EscalatorError as error:
                _log.warning("operations.unknown", vnfm=vnfm.name, code=error.code.value, message=error.message)
                why = f"what is under way at {vnfm.name} cannot be seen: {error.message}"
                found.append(Operation(vnfm=vnfm.name, what=why))
        return found
