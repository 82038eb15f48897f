"""A node that is given another try while a plan for the rest is made: that plan says nothing of it, so another one is made."""

from __future__ import annotations

import json
from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.progress import CampaignState, NodeTask, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager.engine.drive import _board
from escalator.upgrade_manager.engine.replan import keep, replanned, take_up
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World

NODE = "cn-0002"
MENDED = "The command is not there."


async def _begun(sim: Simulation) -> NodeTask:
    """A campaign of which that node was skipped; its task."""
    spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
    await import_release(sim.store, RELEASE, sim.ctx.clock.now())
    await sim.campaigns.create(json.dumps(document))
    plan = await sim.campaigns.plan("c")
    for node, upgrade in plan.upgrade_of.items():
        await sim.store.tasks.put(NodeTask(campaign="c", node=node, wave=upgrade.wave))
    await sim.store.campaigns.change("c", (CampaignState.PLANNED,), (), state=CampaignState.RUNNING)
    task = await sim.store.tasks.get("c", NODE)
    assert task is not None
    return task


def _then(*, retried: bool) -> tuple[str, str, str]:
    """What a drive finds that follows a plan made while the node was skipped; and code and message of the node."""

    async def play() -> tuple[str, str, str]:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=4, seed=1)
        async with simulate(world, clock) as sim:
            task = await _begun(sim)
            skipped = replace(task, state=TaskState.SKIPPED, message=MENDED, code=Code.SYS_COMMAND.value)
            await sim.store.tasks.put(replace(skipped, updated_at=clock.now()))
            made = await replanned(sim.ctx, "c")
            assert made is not None
            assert NODE not in made.plan.upgrade_of
            await clock.sleep(1.0)
            if retried:
                await sim.store.tasks.put(replace(task, attempt=2, updated_at=clock.now()))
            await keep(sim.ctx, "c", made, "after something")
            assert await take_up(sim.ctx, "c")
            board = await _board(sim.ctx, "c", await sim.ctx.book.campaign("c"))
            after = await sim.store.tasks.get("c", NODE)
            assert after is not None
            return board.disturbed, after.code, after.message

    return virtual_time.run(play())


def test_another_plan_is_made_for_it_and_its_old_reason_is_gone() -> None:
    assert _then(retried=True) == (f"{NODE} tried again", "", "")


def test_nothing_is_planned_anew_for_a_node_that_stays_skipped() -> None:
    disturbed, code, message = _then(retried=False)
    assert (disturbed, code, message) == ("", Code.SYS_COMMAND.value, MENDED)
