"""Keys that a campaign holds while it works: never two sites with one key at once.

Held from before the first node begins for as long as a node is under way, or may begin. Given back when the campaign is
over, and while it rests with no node under way: paused, suspended, outside of its windows. No step begins without them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from escalator.model.campaign import Campaign
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, InputError, Problem
from escalator.vim_interface.locks.port import LockService

SHARE = 3
"""A lease is renewed so many times before it ends."""
MARGIN = 0.1
"""Share of a lease that does not count: clocks differ, and ways take time."""


class Leases:
    """What this server holds, by campaign. In memory alone: after a restart the same owner takes the same keys again."""

    def __init__(self, service: LockService | None, owner: str, ttl_s: float, clock: Clock) -> None:
        self._service, self._owner, self._ttl_s, self._clock = service, owner, ttl_s, clock
        self._keys: dict[str, tuple[str, ...]] = {}
        self._until: dict[str, float] = {}
        self._lost: dict[str, str] = {}
        self._held = asyncio.Event()

    @property
    def known(self) -> bool:
        """Whether there is a lock service at all."""
        return self._service is not None

    def valid(self, campaign: str) -> bool:
        """Whether the campaign's keys are held now, for sure."""
        return self._clock.now() < self._until.get(campaign, float("-inf"))

    def lost(self, campaign: str) -> str | None:
        """Why the campaign's keys are not held any more; None when they were not lost."""
        if campaign in self._keys and not self.valid(campaign):
            return self._lost.get(campaign, "the lock service did not answer for as long as the lease lasted")
        return None

    async def hold(self, campaign: str, keys: Sequence[str]) -> str | None:
        """Take all the keys, or none; why not when that cannot be."""
        if self._service is None:
            return "the settings have no lock service"
        began = self._clock.now()
        taken: list[str] = []
        for key in sorted(set(keys)):
            try:
                why = await self._service.acquire(key, self._name(campaign), self._ttl_s)
            except EscalatorError as error:
                why = error.message
            if why is not None:
                await self._release(campaign, taken)
                return why
            taken.append(key)
        self._keys[campaign] = tuple(taken)
        self._until[campaign] = began + self._ttl_s * (1 - MARGIN)
        self._lost.pop(campaign, None)
        self._held.set()
        return None

    def forget(self, campaign: str) -> None:
        """The keys were lost, and that was told."""
        for table in (self._keys, self._until, self._lost):
            table.pop(campaign, None)

    async def let_go(self, campaign: str) -> bool:
        """Give the keys back; whether there were any. What cannot be given back ends by itself."""
        keys = self._keys.get(campaign, ())
        self.forget(campaign)
        await self._release(campaign, keys)
        return bool(keys)

    async def run(self) -> None:
        """Renew what is held, for ever."""
        while True:
            await self._held.wait()
            await self._clock.sleep(self._ttl_s / SHARE)
            for campaign in list(self._keys):
                await self._renew(campaign)
            if not self._keys:
                self._held.clear()

    async def _renew(self, campaign: str) -> None:
        if self._service is None or not self.valid(campaign):
            return  # what has lapsed is not taken up again behind the campaign's back
        began = self._clock.now()
        for key in self._keys.get(campaign, ()):
            try:
                if await self._service.renew(key, self._name(campaign), self._ttl_s):
                    continue
            except EscalatorError as error:
                self._lost[campaign] = error.message
                return
            self._lost[campaign] = f"key {key} is somebody else's"
            self._until[campaign] = float("-inf")
            return
        if campaign in self._keys:
            self._until[campaign] = began + self._ttl_s * (1 - MARGIN)
            self._lost.pop(campaign, None)

    async def _release(self, campaign: str, keys: Sequence[str]) -> None:
        for key in keys if self._service is not None else ():
            try:
                await self._service.release(key, self._name(campaign))  # type: ignore[union-attr]  # looked at above
            except EscalatorError:
                continue  # it ends by itself

    def _name(self, campaign: str) -> str:
        return f"{self._owner}/{campaign}"


def require_locks(leases: Leases, campaign: Campaign) -> None:
    """Raise InputError when the campaign has keys and the settings have no lock service."""
    if campaign.spec.exclusive and not leases.known:
        problem = Problem("spec.exclusive", "the server's settings have no lock service")
        raise InputError(Code.UPG_LOCK, "The campaign's keys cannot be held.", problems=[problem], remedy="Set locks.kind.")
