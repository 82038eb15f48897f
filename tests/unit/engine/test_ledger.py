"""How long and how many at once, from impacts that lie over each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from escalator.upgrade_manager.engine.ledger import Interruption, interruptions, time_above
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged


@pytest.mark.parametrize(
    ("spans", "most", "seconds"),
    [
        ([], 0, 0.0),
        ([(0, 10)], 0, 10.0),
        ([(0, 10), (5, 20)], 0, 20.0),
        ([(0, 10), (20, 30)], 0, 20.0),
        ([(0, 10), (5, 20)], 1, 5.0),
        ([(0, 10), (10, 20)], 1, 0.0),  # one ends when the other begins
        ([(0, 30), (5, 20), (10, 15)], 2, 5.0),
        ([(0, 30), (5, 20), (10, 15)], 3, 0.0),
    ],
)
def test_time_in_which_more_than_so_many_lie_over_each_other(spans: list[tuple[float, float]], most: int, seconds: float) -> None:
    assert time_above(spans, most) == seconds


def test_what_the_way_back_took_is_told_apart() -> None:
    async def told() -> tuple[Sequence[Interruption], Sequence[Interruption]]:
        async with staged() as stage:
            await stage.play("world nodes=4 seed=1\ncampaign a\nplan a\nstart a\nrun a")
            there = await interruptions(stage.sim.ctx, "a", "vnf")
            await stage.play("rollback a\nrun a")
            return there, await interruptions(stage.sim.ctx, "a", "vnf")

    there, both = virtual_time.run(told())
    assert {(one.back_impacts, one.back_s) for one in there} == {(0, 0.0)}
    before, after = ({one.name: one for one in rows} for rows in (there, both))
    assert any(one.back_impacts for one in both)
    for name, one in after.items():
        assert one.impacts - one.back_impacts == (before[name].impacts if name in before else 0)
        assert one.impacted_s == pytest.approx(one.back_s + (before[name].impacted_s if name in before else 0.0))
