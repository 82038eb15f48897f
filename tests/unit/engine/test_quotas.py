"""Keeping VNFs from scaling up: how much they keep, and what a crash in the middle leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, replace

import pytest

from escalator.cloud_manager.port import UNLIMITED, Quota, QuotaState
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.inventory import Instance, Inventory, Node
from escalator.simulation.setup import Simulation, simulate
from escalator.upgrade_manager.engine.by_hand import take_off, take_off_ended
from escalator.upgrade_manager.engine.quotas import headrooms, lock, locked, unlock
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.world import World

FREE = Quota(UNLIMITED, UNLIMITED, UNLIMITED)


def vm(name: str, vnf: str | None, cores: float, project: str = "p", span: int = 1) -> Instance:
    demand = {"pcpu": cores, "mem_mib": 1024.0 * cores}
    return Instance(id=name, project=project, node="a", vnf=vnf, demand=demand, numa_span=span)


VMS = (vm("v1", "amf", 2.0), vm("v2", "amf", 4.0), vm("v3", "smf", 1.0), vm("v4", None, 8.0), vm("v5", "amf", 2.0, "q", 2))


def test_each_vnf_keeps_room_for_its_largest_instance() -> None:
    assert headrooms(VMS) == {"p": Quota(5, 5120, 2), "q": Quota(4, 4096, 1)}
    assert headrooms([vm("v4", None, 8.0)]) == {}


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        (FREE, Quota(1, 2, 3), Quota(1, 2, 3)),
        (Quota(5, UNLIMITED, 3), Quota(4, 7, 9), Quota(4, 7, 3)),
        (FREE, FREE, FREE),
        (Quota(0, 0, 0), Quota(4, 7, 9), Quota(0, 0, 0)),
    ],
)
def test_no_limit_is_wider_than_any(one: Quota, other: Quota, least: Quota) -> None:
    assert one.least(other) == least
    assert other.least(one) == least


@asynccontextmanager
async def site() -> AsyncIterator[Simulation]:
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    nodes = (Node(id="a", numa=({"pcpu": 32.0, "mem_mib": 65536.0},) * 2),)
    placed = [instance.model_copy(update={"numa_cell": None if instance.numa_span > 1 else 0}) for instance in VMS]
    world.load(Inventory(nodes=nodes, instances=tuple(placed)), ())
    async with simulate(world, clock, strict=True) as sim:
        yield sim


async def limits(sim: Simulation, project: str) -> Quota:
    return (await sim.ctx.cloud.quotas.state(project)).limits


def test_what_was_found_comes_back_however_often_it_is_locked() -> None:
    async def run() -> None:
        async with site() as sim:
            await sim.ctx.cloud.quotas.change("p", Quota(100, UNLIMITED, 6))
            for _ in range(2):
                await lock(sim.ctx, "c", VMS)
                assert await limits(sim, "p") == Quota(20, 20480, 6)
                assert await limits(sim, "q") == Quota(8, 8192, 2)
            (row, _) = await locked(sim.ctx, "c")
            assert row.commands == ("openstack quota set --force --cores=100 --ram=-1 --instances=6 p",)
            await unlock(sim.ctx, "c")
            assert (await limits(sim, "p"), await limits(sim, "q")) == (Quota(100, UNLIMITED, 6), FREE)
            await unlock(sim.ctx, "c")
            await lock(sim.ctx, "c", VMS)
            assert await limits(sim, "p") == Quota(20, 20480, 6)

    virtual_time.run(run())


def test_a_crash_before_the_cloud_was_told_leaves_the_quota_and_clears_the_sheet() -> None:
    async def run() -> None:
        async with site() as sim:
            await lock(sim.ctx, "c", VMS)
            for project in "pq":
                await sim.ctx.cloud.quotas.change(project, FREE)  # as if it had never been told
            await lock(sim.ctx, "c", VMS)
            assert await limits(sim, "p") == Quota(20, 20480, 6)
            for project in "pq":
                await sim.ctx.cloud.quotas.change(project, FREE)
            await unlock(sim.ctx, "c")
            assert await limits(sim, "p") == FREE
            assert await locked(sim.ctx, "c") == []

    virtual_time.run(run())


def test_what_a_person_put_back_by_the_sheet_is_taken_from_it() -> None:
    async def run() -> None:
        async with site() as sim:
            await lock(sim.ctx, "c", VMS)
            await sim.ctx.cloud.quotas.change("p", FREE)
            assert [row.object_id for row in await take_off(sim.ctx, "c")] == ["q"]
            changed = replace(await limits(sim, "q"), cores=11)
            await sim.ctx.cloud.quotas.change("q", changed)
            await unlock(sim.ctx, "c")
            assert await limits(sim, "q") == changed

    virtual_time.run(run())


def test_a_lock_that_is_just_being_made_is_not_taken_for_put_back() -> None:
    async def run() -> None:
        async with site() as sim:
            await lock(sim.ctx, "c", VMS)
            await sim.ctx.cloud.quotas.change("p", FREE)  # written down, and the cloud not told yet
            await take_off_ended(sim.ctx)
            assert [row.object_id for row in await locked(sim.ctx, "c")] == ["p", "q"]

    virtual_time.run(run())


def test_a_second_window_does_not_take_our_own_lock_for_what_was_found() -> None:
    async def run() -> None:
        async with site() as sim:
            await sim.ctx.cloud.quotas.change("p", Quota(100, 100_000, 10))
            await lock(sim.ctx, "c", VMS)
            with sim.world.state.change():
                sim.world.state.remove("v2")
            await lock(sim.ctx, "c", VMS)
            await unlock(sim.ctx, "c")
            assert await limits(sim, "p") == Quota(100, 100_000, 10)

    virtual_time.run(run())


@dataclass
class _Refusing:
    """Quotas of a cloud that answers every question with a refusal."""

    code: Code

    async def state(self, project: str) -> QuotaState:
        raise PermanentError(self.code, f"Cannot read the quota of project {project}.")


@pytest.mark.parametrize(
    ("code", "left"),
    [
        (Code.CLD_FORBIDDEN, ["p", "q"]),
        (Code.CLD_CREDENTIALS, ["p", "q"]),
        (Code.CLD_CONFIG, ["p", "q"]),
        (Code.CLD_NOT_FOUND, []),
        (Code.CLD_REFUSED, []),
    ],
)
def test_a_quota_that_may_not_be_seen_stays_on_the_sheet_and_one_of_a_project_that_is_gone_does_not(
    code: Code, left: list[str]
) -> None:
    async def run() -> list[str]:
        async with site() as sim:
            await lock(sim.ctx, "c", VMS)
            cloud = copy(sim.ctx.cloud)
            cloud.quotas = _Refusing(code)  # type: ignore[assignment]
            for _ in range(2):
                await unlock(replace(sim.ctx, cloud=cloud), "c")
            told = [event.object_id for event in await sim.store.events.read() if event.action == "quota.unlocked"]
            assert told == ["p", "q"]
            rows = await locked(sim.ctx, "c")
            assert await take_off(replace(sim.ctx, cloud=cloud), "c") == rows
            return [row.object_id for row in rows]

    assert virtual_time.run(run()) == left
