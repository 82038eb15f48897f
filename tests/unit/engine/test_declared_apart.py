"""What is declared while a campaign runs keeps the members of the cloud's own group apart, too, which the cloud would not do."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from escalator.model.constraint import Constraint, MaintenanceInfo
from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World

SPEC = {
    "release": RELEASE.id,
    "mode": "smooth",
    "scope": {"select": {}},
    "waves": {"max_unavailable": 1, "max_extra_moves": 1.0},
    "node": {"driver": "simulated"},
}
DOCUMENT = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}


def _inventory() -> Inventory:
    """Three members of a group on one node; the others are empty."""
    return Inventory(
        nodes=tuple(Node(id=name, numa=({"pcpu": 8.0},)) for name in "abcd"),
        instances=tuple(
            Instance(id=f"v{n}", project="p", node="d", numa_cell=0, demand={"pcpu": 1.0}, groups=("g",)) for n in range(3)
        ),
        groups=(Group(id="g", max_impacted=3),),
    )


async def _together(said: MaintenanceInfo | None) -> int:
    """Run a campaign whose group is given a word after its start; the most members on one node that they came to."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.load(_inventory(), ())
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        await sim.campaigns.create(json.dumps(DOCUMENT))
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        if said is not None:
            await sim.store.constraints.put(Constraint(kind="group", id="g", spec=said))
        most = 0
        while (state := await sim.store.campaigns.state("c")) is not CampaignState.COMPLETED:
            assert state is CampaignState.RUNNING
            there = Counter(instance.node for instance in world.inventory().instances if instance.node != "d")
            most = max(most, *there.values(), 0)
            await clock.sleep(10.0)
        return most


@pytest.mark.parametrize(
    ("said", "most"),
    [(None, 3), (MaintenanceInfo(max_per_node=2), 2), (MaintenanceInfo(anti_affinity=True), 1), (MaintenanceInfo(), 3)],
)
def test_members_do_not_come_together_beyond_the_word_that_came_after_the_plan(said: MaintenanceInfo | None, most: int) -> None:
    assert virtual_time.run(_together(said)) == most
