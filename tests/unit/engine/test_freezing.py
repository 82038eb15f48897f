"""What a second freeze changes: its reason, where it brings one. And what a person is told to do while all is frozen."""

from __future__ import annotations

import pytest

from escalator.simulation.setup import simulate
from escalator.upgrade_manager.engine.freeze import Freeze
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.freezing import begin_freeze
from escalator.world.world import World
from scenarios.stage import staged


async def _frozen(*reasons: str) -> tuple[float, Freeze]:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=3, seed=1)
    async with simulate(world, clock) as sim:
        start = clock.now()
        for reason in reasons:
            made = await begin_freeze(sim.ctx, reason)
            await clock.sleep(60.0)
        return start, made


@pytest.mark.parametrize(
    ("reasons", "kept"),
    [(("storm", ""), "storm"), (("storm", "flood"), "flood"), (("", "storm"), "storm"), (("", ""), "")],
)
def test_all_stays_frozen_since_the_first_time_and_for_the_last_reason_that_was_given(
    reasons: tuple[str, ...], kept: str
) -> None:
    start, made = virtual_time.run(_frozen(*reasons))
    assert made == Freeze(start, kept)


def test_while_all_is_frozen_its_end_is_what_can_be_done_and_no_time_is_promised() -> None:
    async def shown() -> tuple[list[str], float | None]:
        async with staged() as stage:
            await stage.play("world nodes=3 seed=1\ncampaign a\nplan a\nstart a\nuntil a node.notify\nfreeze storm\nwait 60")
            view = await stage.sim.campaigns.show("a")
            return list(view.next), view.eta_s

    verbs, eta_s = virtual_time.run(shown())
    assert verbs[0] == "escalator freeze end"
    assert eta_s is None


def test_a_campaign_shows_the_last_reason_that_was_given() -> None:
    async def shown() -> str:
        async with staged() as stage:
            await stage.play("world nodes=3 seed=1\ncampaign a\nplan a\nfreeze storm\nstart a\nwait 60\nfreeze flood\nwait 60")
            row = await stage.sim.store.campaigns.get("a")
            return "" if row is None else row.reason

    assert virtual_time.run(shown()) == "everything is frozen: flood; it ends with escalator freeze end"
