"""Where an instance goes whose planned target does not take it: first where nobody else is meant to go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from escalator.cloud_manager.port import MoveOrder
from escalator.cloud_manager.simulated import SimulatedCloud
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Move, Plan
from escalator.model.progress import NodeTask, TaskState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.board import STRAYED
from escalator.upgrade_manager.engine.job import Job, TaskRef, job_of
from escalator.upgrade_manager.engine.moves import move_away
from escalator.upgrade_manager.engine.outcome import Outcome
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.targets import Others, local_targets
from escalator.world.world import World

V = TypeVar("V")
DONE = ("t1", "t2", "t3")
SPEC = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}
DOCUMENT = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}


def vm(name: str, node: str, pcpu: float) -> Instance:
    return Instance(id=name, project="p", node=node, demand={"pcpu": pcpu})


def move(instance: str, origin: str, target: str) -> Move:
    return Move(instance=instance, origin=origin, target=target, start_s=0.0, end_s=9.0)


PLAN = Plan(id="plan", smooth=True, moves=(move("vm-a", "a", "t1"), move("vm-b", "b", "t2")))


def at(job_does: Callable[[Job, Instance], Awaitable[V]], *, on_t2: float, on_t3: float, moved: bool = False) -> V:
    """What it gives for vm-a: t1 is full, t2 is where vm-b is to go, which has `moved` already or not; nobody is to go to t3."""

    async def look() -> V:
        clock = virtual_time.VirtualClock()
        world = World.in_memory(clock)
        nodes = tuple(Node(id=name, numa=({"pcpu": 16.0},)) for name in (*DONE, "a", "b"))
        full = [vm("v", "t1", 16.0), vm("u", "t2", on_t2), vm("w", "t3", on_t3)]
        there = [vm("vm-a", "a", 8.0), vm("vm-b", "t2" if moved else "b", 8.0), *full]
        inventory = Inventory(nodes=nodes, instances=tuple(there))
        world.load(inventory, [])
        async with simulate(world, clock) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            await sim.campaigns.create(json.dumps(DOCUMENT))
            for node in DONE:
                await sim.store.tasks.put(NodeTask(campaign="c", node=node, state=TaskState.DONE))
            sim.ctx.book.add(PLAN, inventory)
            return await job_does(await job_of(sim.ctx, TaskRef("c", "a", 1, 1, "plan")), there[0])

    return virtual_time.run(look())


def others(*, on_t2: float, on_t3: float, moved: bool = False) -> Others:
    """Where it may go when t1 was tried."""
    return at(lambda job, instance: local_targets(job, instance, {"t1"}), on_t2=on_t2, on_t3=on_t3, moved=moved)


async def moves(job: Job, instance: Instance) -> tuple[str, bool]:
    """Where it is in the end, and whether that is noted as a reason to plan the rest anew."""
    async with asyncio.timeout(None) as limit:
        job.deadline.over(limit)
        outcome = await move_away(job, instance, "live", PLAN.moves[0], None)
    return outcome.message.removeprefix("vm-a is on "), STRAYED in await job.ctx.store.tasks.memo("c")


def test_room_that_is_meant_for_another_is_not_the_first_that_is_taken() -> None:
    assert others(on_t2=8.0, on_t3=2.0) == Others("t3", "t3")  # the fullest would be t2


def test_it_is_taken_where_there_is_no_other() -> None:
    assert others(on_t2=8.0, on_t3=10.0) == Others(None, "t2")


def test_what_has_come_is_counted_once() -> None:
    assert others(on_t2=0.0, on_t3=2.0, moved=True) == Others("t2", "t2")


def test_it_goes_there_and_the_rest_is_planned_anew() -> None:
    assert at(moves, on_t2=8.0, on_t3=2.0) == ("t3", True)
    assert at(moves, on_t2=8.0, on_t3=10.0) == ("t2", True)


class Silent(SimulatedCloud):
    """A cloud that takes an order and leaves no word of what became of it, as where its scheduler found the target full."""

    async def start_move(self, order: MoveOrder) -> None:
        pass


async def refused(job: Job, instance: Instance) -> tuple[Outcome, list[str]]:
    """What became of the move in such a cloud, and what the history says of each try."""
    assert isinstance(job.ctx.cloud, SimulatedCloud)
    silent = replace(job, ctx=replace(job.ctx, cloud=Silent(job.ctx.cloud._there)))
    async with asyncio.timeout(None) as limit:
        silent.deadline.over(limit)
        outcome = await move_away(silent, instance, "live", PLAN.moves[0], None)
    told = [e for e in await job.ctx.store.events.read(0, limit=100) if e.action == "instance.move" and e.outcome == "failed"]
    return outcome, [event.message for event in told]


def test_a_refusal_that_the_cloud_has_no_word_for_has_one_all_the_same() -> None:
    outcome, told = at(refused, on_t2=8.0, on_t3=2.0)
    assert outcome.message.endswith("the cloud's scheduler may have refused the target, as for want of room")
    assert told
    assert all("is on a and no migration is on record" in message for message in told)
