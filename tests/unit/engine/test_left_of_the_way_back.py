"""How long a way back still takes, and which try of its kind a turn is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from escalator.model.progress import CampaignState, TaskKind
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.service import CampaignView
from escalator.world.rules import Fault
from escalator.world.world import World

SPEC = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}


async def _until(sim: Simulation, clock: VirtualClock, *states: CampaignState) -> CampaignView:
    view = await sim.campaigns.show("c")
    while view.row.state not in states:
        await clock.sleep(5.0)
        view = await sim.campaigns.show("c")
    return view


async def _upgraded(sim: Simulation, clock: VirtualClock) -> None:
    await import_release(sim.store, RELEASE, clock.now())
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}
    await sim.campaigns.create(json.dumps(document))
    await sim.campaigns.plan("c")
    await sim.campaigns.start("c")
    await _until(sim, clock, CampaignState.COMPLETED)
    await clock.sleep(86400.0)


async def _way_back(*, faults: bool) -> list[Any]:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=3, seed=1)
    async with simulate(world, clock) as sim:
        await _upgraded(sim, clock)
        if faults:
            world.faults.add(Fault(kind="rollback", node="cn-0002", occurrences=(1,)))
        await sim.campaigns.back.rollback("c")
        if faults:
            failed = await _until(sim, clock, CampaignState.ROLLBACK_FAILED)
            await sim.campaigns.retry("c", "cn-0002")
            again = await sim.campaigns.show("c")
            return [failed, again]
        await clock.sleep(60.0)
        view = await sim.campaigns.show("c")
        plan, _ = await sim.ctx.book.plan(view.row.plan or "")
        over = await _until(sim, clock, CampaignState.ROLLED_BACK)
        return [view, plan.totals.makespan_s, over]


def test_what_is_left_of_the_way_back_counts_from_when_it_was_planned() -> None:
    view, makespan_s, over = virtual_time.run(_way_back(faults=False))
    assert view.row.state is CampaignState.ROLLING_BACK
    assert view.eta_s == pytest.approx(makespan_s - 60.0), "the day since the campaign's end is no part of it"
    assert over.eta_s is None


def test_the_first_turn_back_is_the_first_try_of_its_kind() -> None:
    failed, again = virtual_time.run(_way_back(faults=True))
    turns = {task.node: task for task in failed.tasks if task.kind is TaskKind.ROLLBACK}
    assert turns["cn-0002"].attempt == 2
    assert set(failed.tries.values()) == {1}
    assert {node: tries for node, tries in again.tries.items() if tries > 1} == {"cn-0002": 2}
