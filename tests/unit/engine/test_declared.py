"""A limit that came after the start says so, where it leaves nodes without a turn."""

from __future__ import annotations

import json

import pytest

from escalator.model.constraint import Constraint
from escalator.model.document import Source, load
from escalator.model.progress import CampaignState, Event
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World

SPEC = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}


async def _suspended(*, written: bool) -> tuple[str, str]:
    """Why the campaign waits for a person, and its code, after a VNF declared that none of its instances may be impacted."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=4, seed=1)
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}
        await sim.campaigns.create(json.dumps(document))
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        await clock.sleep(600.0)
        vnf = next(i.vnf for i in world.inventory().instances if i.vnf is not None and i.node == "cn-0001")
        most = {"min_number_of_preserved_instances": [{"min_number_of_preserved_instances": 1000}]}
        await sim.store.constraints.put(load(Constraint, Source({"kind": "vnf", "id": vnf, "spec": most})))
        if written:
            event = Event(at=clock.now(), action="constraint.set", object_id=f"vnf {vnf}", outcome="done")
            await sim.store.events.append((event,))
        await sim.campaigns.replan("c")
        view = await sim.campaigns.show("c")
        while view.row.state is CampaignState.RUNNING:
            await clock.sleep(60.0)
            view = await sim.campaigns.show("c")
        return view.row.reason, view.row.code


@pytest.mark.parametrize("written", [True, False])
def test_a_limit_that_came_after_the_start_is_dated(*, written: bool) -> None:
    reason, code = virtual_time.run(_suspended(written=written))
    assert code == "ESC-UPG-024"
    assert "allows 0 members to be impacted" in reason
    assert ("was declared 2026-01-01 00:10:00Z, after the start: escalator constraint show vnf " in reason) is written
