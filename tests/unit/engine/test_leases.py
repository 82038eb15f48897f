"""Keys of campaigns: all or none, renewed, and not counted as held when that is not sure."""

from __future__ import annotations

import asyncio

import pytest

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import InputError, TemporaryError
from escalator.upgrade_manager.engine.leases import Leases, require_locks
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.vim_interface.locks.simulated import SimulatedLocks
from escalator.world.world import World


class Away:
    """A lock service that may be away."""

    def __init__(self, inner: SimulatedLocks) -> None:
        self._inner = inner
        self.away = False

    async def acquire(self, key: str, owner: str, ttl_s: float) -> str | None:
        self._there()
        return await self._inner.acquire(key, owner, ttl_s)

    async def renew(self, key: str, owner: str, ttl_s: float) -> bool:
        self._there()
        return await self._inner.renew(key, owner, ttl_s)

    async def release(self, key: str, owner: str) -> None:
        self._there()
        await self._inner.release(key, owner)

    def _there(self) -> None:
        if self.away:
            raise TemporaryError(Code.UPG_LOCK, "the lock service is away")


def test_all_keys_are_held_or_none() -> None:
    async def play() -> None:
        clock = VirtualClock()
        world = World.in_memory(clock)
        leases = Leases(SimulatedLocks(world.locks), "a", 90.0, clock)
        world.locks.take("y", "b/c", 1000.0)
        assert await leases.hold("c", ("z", "y", "x")) == "key y is not free: b/c has it"
        assert world.locks.owner("x") is None
        assert not leases.valid("c")
        world.locks.give_back("y")
        assert await leases.hold("c", ("z", "y", "x")) is None
        assert leases.valid("c")
        assert {world.locks.owner(key) for key in "xyz"} == {"a/c"}
        assert await leases.let_go("c")
        assert not await leases.let_go("c")
        assert {world.locks.owner(key) for key in "xyz"} == {None}

    virtual_time.run(play())


def test_a_lease_is_renewed_and_lapses_when_the_service_stays_away() -> None:
    async def play() -> None:
        clock = VirtualClock()
        service = Away(SimulatedLocks(World.in_memory(clock).locks))
        leases = Leases(service, "a", 90.0, clock)
        renewal = asyncio.create_task(leases.run())
        assert await leases.hold("c", ("x",)) is None
        await clock.sleep(1000.0)
        assert leases.valid("c")
        service.away = True
        await clock.sleep(50.0)
        assert leases.valid("c"), "one answer that is missing is no loss"
        await clock.sleep(60.0)
        assert leases.lost("c") == "the lock service is away"
        service.away = False
        await clock.sleep(100.0)
        assert not leases.valid("c"), "what has lapsed is not taken up again behind the campaign's back"
        renewal.cancel()

    virtual_time.run(play())


def test_keys_without_a_lock_service_are_refused() -> None:
    clock = VirtualClock()
    spec = {"mode": "smooth", "scope": {"select": {}}, "exclusive": ("x",)}
    campaign = Campaign.model_validate({"metadata": {"name": "c"}, "spec": spec})
    with pytest.raises(InputError):
        require_locks(Leases(None, "a", 90.0, clock), campaign)
