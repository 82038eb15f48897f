"""What a second hold of the same node changes: its reason, where it brings one, and nothing else."""

from __future__ import annotations

import pytest

from escalator.model.hold import Hold
from escalator.simulation.setup import simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.holding import hold
from escalator.world.world import World


async def _held(*reasons: str) -> tuple[float, list[Hold]]:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=3, seed=1)
    async with simulate(world, clock) as sim:
        start = clock.now()
        for reason in reasons:
            await hold(sim.ctx, "cn-0002", reason)
            await clock.sleep(60.0)
        return start, list(await sim.store.holds.list())


@pytest.mark.parametrize(
    ("reasons", "kept"),
    [
        (("ticket 4711", ""), "ticket 4711"),
        (("ticket 4711", "ticket 4712"), "ticket 4712"),
        (("", "ticket 4711"), "ticket 4711"),
        (("", ""), ""),
    ],
)
def test_a_node_stays_held_since_the_first_time_and_for_the_last_reason_that_was_given(
    reasons: tuple[str, ...], kept: str
) -> None:
    start, held = virtual_time.run(_held(*reasons))
    assert held == [Hold(node="cn-0002", reason=kept, since=start)]
