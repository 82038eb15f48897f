"""What a person is told to do next with a plan that may not be started by is no start that would be refused."""

from __future__ import annotations

import json

import pytest

from escalator.model.errors import ConditionsError
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World


async def _next(max_fill: float) -> list[str]:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=4, seed=1)
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        spec = {
            "release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"},
            "waves": {"max_fill": max_fill},
        }  # fmt: skip
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        await sim.campaigns.create(json.dumps(document))
        plan = await sim.campaigns.plan("c")
        found = list((await sim.campaigns.show("c")).next)
        if not plan.smooth:
            with pytest.raises(ConditionsError, match="not smooth"):
                await sim.campaigns.start("c")
        return found


def test_a_smooth_plan_is_to_be_started() -> None:
    assert virtual_time.run(_next(1.0)) == ["escalator campaign start c"]


def test_a_plan_that_is_not_smooth_is_to_be_made_again() -> None:
    assert virtual_time.run(_next(0.1)) == ["escalator campaign plan c"]
