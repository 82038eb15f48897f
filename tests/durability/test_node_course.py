"""The real courses, crashed before and after each write of a whole campaign, end as if nothing had happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from durability.crashes import Stand, Tripwire, small_cloud
from escalator.model.progress import CampaignState, TaskState
from escalator.simulation.setup import Simulation
from escalator.upgrade_manager import holding
from escalator.upgrade_manager.engine import gates
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.clusters import sow_routers
from escalator.world.records import VnfmRow
from escalator.world.rules import Fault
from escalator.world.world import World

DONE = {"a": "done", "b": "done", "c": "done"}


def document(**spec: Any) -> str:
    base = {
        "release": "nfvi-agent/2.0.0",
        "mode": "smooth",
        "scope": {"select": {"role": "compute"}},
        "node": {"driver": "simulated"},
        "waves": {"max_unavailable": 1},
    }
    return json.dumps({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": {**base, **spec}})


def nothing(world: World) -> None: ...


def unhealthy(world: World) -> None:
    world.faults.add(Fault(kind="health", node="b"))


def no_probe(world: World) -> None:
    world.faults.add(Fault(kind="boot", node="b"))


def refusing(world: World) -> None:
    world.vnfms.behave("core", "refuse")


def deferring(world: World) -> None:
    world.vnfms.behave("core", "defer")


def failing_move(world: World) -> None:
    world.faults.add(Fault(kind="live_migration", instance="vm-3", first=1))


async def abort_at_b(sim: Simulation) -> None:
    """Somebody aborts when instances have begun to leave the second node."""
    while True:
        row = await sim.store.campaigns.get("c")
        assert row is not None
        moved = [e for e in await sim.store.events.read(limit=10_000) if e.action == "instance.move" and e.outcome == "started"]
        if moved and row.state is CampaignState.RUNNING:
            await sim.campaigns.abort("c")
        await sim.ctx.clock.sleep(5.0)


async def retry_failed(sim: Simulation) -> None:
    """Somebody mends the release and tries again."""
    while True:
        row = await sim.store.campaigns.get("c")
        assert row is not None
        if row.state is CampaignState.SUSPENDED:
            sim.world.faults.clear()
            failed = [t for t in await sim.store.tasks.list("c") if t.state in (TaskState.ROLLED_BACK, TaskState.FAILED)]
            for task in failed:
                await sim.campaigns.retry("c", task.node)
            if not failed:
                # The crash came in the middle of the retry: the node waits for its turn, and the campaign for a person.
                await sim.campaigns.resume("c")
        await sim.ctx.clock.sleep(60.0)


async def give_up(sim: Simulation) -> None:
    """Somebody gives up what has no turn any more, since what failed takes nothing."""
    while True:
        row = await sim.store.campaigns.get("c")
        assert row is not None
        if row.state is CampaignState.SUSPENDED:
            await sim.campaigns.resume("c")
        await sim.ctx.clock.sleep(60.0)


async def hold_b(sim: Simulation) -> None:
    """Somebody holds the second node while its instances leave, and lets it go when nothing else is left."""
    held = any(event.action == "node.hold" for event in await sim.store.events.read(limit=10_000))
    while True:
        row = await sim.store.campaigns.get("c")
        assert row is not None
        moved = [e for e in await sim.store.events.read(limit=10_000) if e.action == "instance.move" and e.outcome == "started"]
        if moved and not held:
            held = True
            await holding.hold(sim.ctx, "b", "a look at the disk")
        if row.state is CampaignState.SUSPENDED:
            if await sim.store.holds.list():
                await holding.unhold(sim.ctx, "b")
            else:
                # The crash came in the middle of letting it go.
                await sim.campaigns.resume("c")
        await sim.ctx.clock.sleep(5.0)


def clustered(*more: Callable[[World], None]) -> Callable[[World], None]:
    """The same on nodes that are members of a control, a network and a storage cluster beside."""

    def prepare(world: World) -> None:
        with world.state.change():
            for node in [*world.state.nodes.rows.values()]:
                world.state.put_node(node.model_copy(update={"roles": ("compute", "control", "network", "storage")}))
            sow_routers(world.state)
        world.clusters.elect("a")
        for one in more:
            one(world)

    return prepare


def gated(world: World) -> None:
    world.gates.put("window", "not yet", "CHG-4711 is not approved")


async def open_gates(sim: Simulation) -> None:
    """The gate before the campaign opens after a while; a person approves each wave."""
    await sim.ctx.clock.sleep(200.0)
    sim.world.gates.put("window", "go")
    while True:
        row = await sim.store.campaigns.get("c")
        assert row is not None
        if row.state is CampaignState.SUSPENDED:
            await gates.approve(sim.ctx, "c", "by-hand")
        await sim.ctx.clock.sleep(5.0)


def orchestrated(*more: Callable[[World], None]) -> Callable[[World], None]:
    """The same with an orchestrator that is told of it."""

    def prepare(world: World) -> None:
        world.vnfms.put(VnfmRow(name="nfvo", behaviour="silent", orchestrator=True))
        for one in more:
            one(world)

    return prepare


async def hear_late(sim: Simulation) -> None:
    """The orchestrator answers when the first instances have long left."""
    await sim.ctx.clock.sleep(300.0)
    sim.world.vnfms.behave("nfvo", "silent")


def deaf(world: World) -> None:
    world.vnfms.behave("nfvo", "unreachable")


def speaking_against(world: World) -> None:
    world.faults.add(Fault(kind="command", command="bmc", node="b"))


def unproved(world: World) -> None:
    world.faults.add(Fault(kind="command", command="smoke", node="b"))


HOOKS = {"preflight": ["bmc"], "pre_maintenance": ["quiesce"], "maintenance": ["migrate"], "post_maintenance": ["wake", "note"]}
HOOKED = {"node": {"driver": "simulated", "hooks": HOOKS, "tests": ["smoke"]}}
SECOND_TARGET = "moved to a second target"
LENIENT = {"failure": {"max_failed": 3, "same_error": 9}}
CANARY = {
    "scope": {
        "select": {"role": "compute"},
        "groups": [{"name": "canary", "select": {"names": ["c"]}, "soak_s": 900.0}, {"name": "rest", "after": ["canary"]}],
    }
}
MEMBERS = {"release": "nfvi-agent/2.1.0"}
PROBING = {"node": {"driver": "simulated", "probe_vm": "all"}}
PROBED = ("proved by a probe", "the probe does not boot")
AGAIN = ("tried again", "told of a second try")
COURSES: dict[str, tuple[dict[str, Any], Callable[[World], None], Any, dict[str, str] | None]] = {
    "upgraded": ({}, nothing, None, DONE),
    "moved cold": ({"workloads": {"default": {"action": "cold"}}}, nothing, None, DONE),
    "stopped": ({"workloads": {"default": {"action": "stop-start"}}}, nothing, None, DONE),
    "deferred": ({}, deferring, None, DONE),
    SECOND_TARGET: ({}, failing_move, None, {**DONE, "d": "done"}),
    "rolled back": (LENIENT, unhealthy, give_up, {"a": "skipped", "b": "rolled-back", "c": "done"}),
    "refused": ({}, refusing, None, {"a": "skipped", "b": "skipped", "c": "done"}),
    "aborted": ({}, nothing, abort_at_b, None),
    "held": ({}, nothing, hold_b, DONE),
    "gated": ({"gates": {"before": ["window"], "before_node": ["look"], "between": ["by-hand"]}}, gated, open_gates, DONE),
    "exclusive": ({"exclusive": ["core-pair"]}, nothing, None, DONE),
    "soaking": (CANARY, nothing, None, DONE),
    "tried again": ({}, unhealthy, retry_failed, DONE),
    "hooked": (HOOKED, nothing, None, DONE),
    "spoken against": ({**LENIENT, **HOOKED}, speaking_against, None, {"a": "done", "b": "skipped", "c": "done"}),
    "not proved": ({**LENIENT, **HOOKED}, unproved, give_up, {"a": "skipped", "b": "rolled-back", "c": "done"}),
    "left running": ({"release": "nfvi-agent/2.1.0", **HOOKED}, nothing, None, DONE),
    "left running, rolled back": (
        {"release": "nfvi-agent/2.1.0", **LENIENT},
        unhealthy,
        None,
        {"a": "done", "b": "rolled-back", "c": "done"},
    ),
    "staged ahead": ({"windows": [{"days": ["thu", "fri", "sat"], "start": "01:00", "length_s": 18000}]}, nothing, None, DONE),
    "members of clusters": (MEMBERS, clustered(), None, DONE),
    "members of clusters, rolled back": (
        {**MEMBERS, **LENIENT},
        clustered(unhealthy),
        None,
        {"a": "done", "b": "rolled-back", "c": "done"},
    ),
    "proved by a probe": (PROBING, nothing, None, DONE),
    "the probe does not boot": ({**LENIENT, **PROBING}, no_probe, give_up, {"a": "skipped", "b": "rolled-back", "c": "done"}),
    "told an orchestrator": ({}, orchestrated(failing_move, deaf), hear_late, None),
    "told of an abort": ({}, orchestrated(), abort_at_b, None),
    "told of a second try": ({}, orchestrated(unhealthy), retry_failed, DONE),
    "told of a stop": ({"workloads": {"default": {"action": "stop-start"}}}, orchestrated(), None, DONE),
    "pinned": ({"pins": {"set": ["pin"], "check": ["look"], "release": ["unpin"]}}, nothing, None, DONE),
}


def crash(course: str, at: int | None, *, after: bool) -> tuple[int, list[str]]:
    """One campaign with one crash; how many writes there were, and what is broken."""
    spec, prepare, steer, ends = COURSES[course]

    async def play() -> tuple[int, list[str]]:
        stand = await Stand.make(document(**spec), prepare, spare=course == SECOND_TARGET, probe=course in PROBED)
        wire = Tripwire(at, after=after)
        if not await stand.live(wire, steer):
            assert wire.dead
            assert await stand.live(Tripwire(), steer), wire.where
        found = [*await stand.broken(small_cloud()[0], upgrades=2 if course in AGAIN else 1)]
        states = {t.node: t.state.value for t in await stand.store.tasks.list("c")}
        if ends is not None and states != ends:
            found.append(f"nodes ended as {states}")
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
    step = 3 if course == "upgraded" else 29 if course.startswith("told") else 9
    assert crash_at(course, [*COURSES].index(course) % step, step) == []


@pytest.mark.long
@pytest.mark.parametrize("course", COURSES)
def test_a_crash_at_any_write_leaves_nothing_behind(course: str) -> None:
    assert crash_at(course, 0, 1) == []


def test_a_crash_that_is_not_taken_up_is_noticed() -> None:
    async def play() -> list[str]:
        stand = await Stand.make(document(), nothing)
        wire = Tripwire(60)
        assert not await stand.live(wire)
        return [*await stand.broken(small_cloud()[0])]

    assert any("is left in maintenance" in line for line in virtual_time.run(play()))
