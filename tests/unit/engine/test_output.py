"""What a playbook says goes into the history once, whatever is read again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from escalator.model.progress import NodeTask
from escalator.simulation.setup import simulate
from escalator.upgrade_manager.engine.job import Job, TaskRef
from escalator.upgrade_manager.engine.output import MAX_LINES, Output
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.world import World
from unit.world.smallcloud import small_cloud

REF = TaskRef(campaign="c", node="a", attempt=1, wave=1, plan="p")


@pytest.fixture
async def job() -> AsyncIterator[Job]:
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    world.load(small_cloud(), ())
    async with simulate(world, clock) as sim:
        await sim.store.tasks.put(NodeTask(campaign="c", node="a", wave=1, updated_at=0.0))
        yield Job(sim.ctx, REF, None, None, None, None, None)  # what is said needs none of the documents


async def written(job: Job) -> list[list[str]]:
    return [event.data["lines"] for event in await job.ctx.store.events.read(campaign="c", limit=100)]


async def test_lines_are_written_as_they_come_and_not_again_after_a_restart(job: Job) -> None:
    output = Output(job, "up")
    await output.take(["task 1: a"])
    await output.take(["task 1: ok", "task 2: b"])
    again = Output(job, "up")
    await again.take(["task 1: a", "task 1: ok"])
    await again.take(["task 2: b", "task 2: ok"])
    assert await written(job) == [["task 1: a"], ["task 1: ok", "task 2: b"], ["task 2: ok"]]


async def test_another_operation_begins_anew(job: Job) -> None:
    await Output(job, "up").take(["task 1: a"])
    await Output(job, "back").take(["task 1: a"])
    assert await written(job) == [["task 1: a"], ["task 1: a"]]


async def test_of_many_lines_the_last_ones_are_written_and_the_others_counted(job: Job) -> None:
    await Output(job, "up").take([f"task {n}: x" for n in range(MAX_LINES + 3)])
    (event,) = await job.ctx.store.events.read(campaign="c", limit=100)
    assert (len(event.data["lines"]), event.data["left_out"], event.message) == (MAX_LINES, 3, f"task {MAX_LINES + 2}: x")
