"""A turn that was given back waits for others to write of it: what this process knew of it is forgotten."""

from __future__ import annotations

from escalator.model.progress import NodeTask, TaskKind, TaskState
from escalator.upgrade_manager.engine import node
from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.outcome import Outcome, Status
from escalator.upgrade_manager.engine.rollback import node as rollback_node
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

SCRIPT = """
world nodes=3 seed=1
vnfm vnfm-core silent
campaign n
plan n
start n
until n node.notify cn-0001 done
freeze
wait 60
"""


def test_the_next_turn_begins_with_what_is_stored_of_it() -> None:
    async def play() -> tuple[list[NodeTask], NodeTask | None]:
        async with staged() as stage:
            await stage.play(SCRIPT)
            kept = [task for task in stage.sim.ctx.tasks.values() if task.state is TaskState.PENDING]
            return kept, await stage.sim.store.tasks.get("n", "cn-0001")

    kept, stored = virtual_time.run(play())
    assert stored is not None
    assert (stored.attempt, stored.state) == (2, TaskState.PENDING)
    assert kept == []


def test_an_end_that_is_repeated_after_a_crash_leaves_the_next_turn_alone() -> None:
    async def play() -> tuple[NodeTask | None, NodeTask | None, list[str]]:
        async with staged() as stage:
            await stage.play(SCRIPT + "vnfm vnfm-core moves\nunfreeze\nuntil n node.consult cn-0001 done\n")
            store, ref = stage.sim.store, TaskRef("n", "cn-0001", 1, 1, "")
            before = await store.tasks.get("n", "cn-0001")
            await node._end(stage.sim.ctx, ref, Outcome(status=Status.LATER, message="frozen"), ())
            slots = [slot.task for slot in await store.admission.node_slots()]
            return before, await store.tasks.get("n", "cn-0001"), slots

    before, after, slots = virtual_time.run(play())
    assert before is not None
    assert (before.attempt, before.state) == (2, TaskState.RUNNING)
    assert after == before
    assert before.id in slots


def test_an_end_of_the_way_back_that_is_repeated_after_a_crash_leaves_the_next_turn_alone() -> None:
    script = """
world nodes=3 seed=1
campaign n
plan n
start n
run n
fault kind=rollback node=cn-0001 first=1
rollback n
run n
retry n cn-0001
until n node.cordon cn-0001 done
"""

    async def play() -> tuple[NodeTask | None, NodeTask | None, list[str]]:
        async with staged() as stage:
            await stage.play(script)
            store, ref = stage.sim.store, TaskRef("n", "cn-0001", 2, 1, "", TaskKind.ROLLBACK)
            before = await store.tasks.get("n", "cn-0001")
            await rollback_node._end(stage.sim.ctx, ref, Outcome(status=Status.SKIP, message="left alone"), ())
            slots = [slot.task for slot in await store.admission.node_slots()]
            return before, await store.tasks.get("n", "cn-0001"), slots

    before, after, slots = virtual_time.run(play())
    assert before is not None
    assert (before.attempt, before.state) == (3, TaskState.RUNNING)
    assert after == before
    assert before.id in slots
