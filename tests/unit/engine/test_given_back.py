"""A turn that was given back waits for others to write of it: what this process knew of it is forgotten."""

from __future__ import annotations

from escalator.model.progress import NodeTask, TaskState
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
