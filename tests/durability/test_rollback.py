"""The way back, crashed before and after each of its writes, ends as if nothing had happened."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from durability.crashes import Stand, Tripwire, small_cloud
from durability.test_node_course import HOOKED, document, nothing, unhealthy
from escalator.model.progress import CampaignState, TaskState
from escalator.simulation.setup import Simulation
from escalator.upgrade_manager.engine.rollback.campaign import begin_back
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.states import BACK
from escalator.world.rules import Fault
from escalator.world.world import World

OVER = (CampaignState.COMPLETED, CampaignState.ROLLED_BACK, CampaignState.RESTORED)


def failing_once(world: World) -> None:
    world.faults.add(Fault(kind="rollback", node="b", first=1))


def failing(world: World) -> None:
    world.faults.add(Fault(kind="rollback", node="b"))


def waking_late(world: World) -> None:
    """A hook fails when the old software of the second node is back and proved; later it does not."""
    world.faults.add(Fault(kind="command", command="wake", node="b", first=1))


async def back(sim: Simulation) -> Any:
    """Begin the way back, or take it up as a server does when it starts; to its end."""
    row = await sim.store.campaigns.get("c")
    assert row is not None
    if row.state in (CampaignState.COMPLETED, CampaignState.SUSPENDED):
        await sim.campaigns.back.rollback("c")
    elif row.state in BACK:
        await begin_back(sim.ctx, "c")
    await sim.engine.result("campaign/c")  # which begins the way back where it had not ended yet
    return await sim.engine.result("rollback/c")


async def retry(sim: Simulation) -> None:
    """Somebody tries each node again that failed."""
    while True:
        row = await sim.store.campaigns.get("c")
        if row is not None and row.state is CampaignState.ROLLBACK_FAILED:
            tasks = await sim.store.tasks.list("c")
            failed = [t for t in tasks if t.state in (TaskState.FAILED, TaskState.SKIPPED)]
            # The crash may have come in the middle of the retry: the node waits for its turn, and the campaign for a person.
            for task in failed or [t for t in tasks if t.state is TaskState.PENDING][:1]:
                await sim.campaigns.retry("c", task.node)
        await sim.ctx.clock.sleep(60.0)


async def restore(sim: Simulation) -> None:
    while True:
        row = await sim.store.campaigns.get("c")
        if row is not None and row.state is CampaignState.ROLLBACK_FAILED:
            await sim.campaigns.back.restore("c")
        await sim.ctx.clock.sleep(60.0)


async def pause(sim: Simulation) -> None:
    """Somebody pauses whenever instances begin to move, and lets it go on later."""
    seen = 0
    while True:
        row = await sim.store.campaigns.get("c")
        events = [e for e in await sim.store.events.read(limit=10_000) if e.action == "instance.move" and e.outcome == "started"]
        if row is not None and row.state is CampaignState.ROLLBACK_PAUSED:
            await sim.ctx.clock.sleep(300.0)
            await sim.campaigns.resume("c")
        elif row is not None and row.state is CampaignState.ROLLING_BACK and len(events) > seen:
            await sim.campaigns.pause("c")
        seen = len(events)
        await sim.ctx.clock.sleep(5.0)


STOP = {"workloads": {"default": {"action": "stop-start"}}}
LEAVE = {"failure": {"on_node_failure": "leave"}}
COURSES: dict[str, tuple[dict[str, Any], Callable[[World], None], Callable[[World], None], Any]] = {
    "rolled back": ({}, nothing, nothing, None),
    "stopped": (STOP, nothing, nothing, None),
    "tried again": ({}, nothing, failing_once, retry),
    "restored": ({}, nothing, failing, restore),
    "paused": ({}, nothing, nothing, pause),
    "suspended": (LEAVE, unhealthy, nothing, None),
    "exclusive": ({"exclusive": ["core-pair"]}, nothing, nothing, None),
    "hooked": (HOOKED, nothing, nothing, None),
    "hooked, tried again": (HOOKED, nothing, waking_late, retry),
    "pinned": ({"pins": {"set": ["pin"], "release": ["unpin"]}}, nothing, nothing, None),
}


async def upgraded(spec: dict[str, Any], prepare: Callable[[World], None]) -> Stand:
    """A campaign that has ended, or is suspended."""
    stand = await Stand.make(document(**spec), prepare)

    async def rested(sim: Simulation) -> None:
        while (row := await sim.store.campaigns.get("c")) is None or row.state not in (*OVER, CampaignState.SUSPENDED):
            await sim.ctx.clock.sleep(5.0)

    assert await stand.live(Tripwire(), None, rested)
    return stand


async def broken(stand: Stand) -> list[str]:
    """What does not hold although it has to."""
    found = [*await stand.broken(small_cloud()[0])]
    row = await stand.store.campaigns.get("c")
    if row is None or row.state not in (CampaignState.ROLLED_BACK, CampaignState.RESTORED):
        found.append(f"the campaign is {row and row.state}")
    nodes = stand.world.inventory().nodes
    found += [f"{node.id} runs {dict(node.versions)}" for node in nodes if node.versions["agent"] != "1.0.0"]
    begun = Counter((e.node, e.what) for e in stand.world.audit.history("rollback-start", "restore-start"))
    allowed = 2 if stand.world.audit.history("rollback-failed") else 1
    found += [f"{node}: {count} {what}" for (node, what), count in begun.items() if count > allowed]
    return found


def crash(course: str, at: int | None, *, after: bool) -> tuple[int, list[str]]:
    """One way back with one crash; how many writes there were, and what is broken."""
    spec, before, prepare, steer = COURSES[course]

    async def play() -> tuple[int, list[str]]:
        stand = await upgraded(spec, before)
        stand.world.faults.clear()
        prepare(stand.world)
        wire = Tripwire(at, after=after)
        if not await stand.live(wire, steer, back):
            assert wire.dead
            assert await stand.live(Tripwire(), steer, back), wire.where
        found = await broken(stand)
        if found:
            found = [f"{wire.where}: {line}" for line in found] + await stand.standing()
        return wire.count, found

    return virtual_time.run(play())


def crash_at(course: str, first: int, step: int) -> list[str]:
    """What a crash breaks at every `step`th point from `first` on; a point is a write, before or after it."""
    count, found = crash(course, None, after=False)
    assert found == []
    assert count > 50
    for point in range(first, 2 * count, step):
        at, after = point // 2 + 1, point % 2 == 1
        try:
            found += crash(course, at, after=after)[1]
        except (AssertionError, RuntimeError, asyncio.CancelledError) as error:
            found.append(f"{'after' if after else 'before'} write {at}: {error!r}")
    return found


@pytest.mark.parametrize("course", COURSES)
def test_a_crash_at_one_write_of_several_leaves_nothing_behind(course: str) -> None:
    assert crash_at(course, [*COURSES].index(course), 13) == []


@pytest.mark.long
@pytest.mark.parametrize("course", COURSES)
def test_a_crash_at_any_write_leaves_nothing_behind(course: str) -> None:
    assert crash_at(course, 0, 1) == []


def test_a_way_back_that_is_not_taken_up_is_noticed() -> None:
    async def play() -> list[str]:
        stand = await upgraded({}, nothing)
        assert not await stand.live(Tripwire(60), None, back)
        return await broken(stand)

    assert any("is left in maintenance" in line or "runs" in line for line in virtual_time.run(play()))
