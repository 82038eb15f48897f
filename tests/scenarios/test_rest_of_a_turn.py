"""What a turn still needs of its window: less, once its node may be emptied."""

from __future__ import annotations

import pytest

from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.overdue import overdue, spare_s
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

NIGHT = 'windows=[{"days":["thu"],"start":"01:00","length_s":36000}]'


async def _spared() -> tuple[float, float, float]:
    async with staged() as stage:
        await stage.play(f"world nodes=4 seed=1\ncampaign agent waves.max_unavailable=1 {NIGHT}\nplan agent\nstart agent")
        ctx = stage.sim.ctx
        row = await stage.sim.store.campaigns.get("agent")
        assert row is not None
        plan, _ = await ctx.book.plan(str(row.plan))
        move = min(plan.moves, key=lambda move: move.start_s)
        await stage.play(f"until agent node.notify {move.origin}")
        ref = TaskRef("agent", move.origin, 1, 1, plan.id)
        before = await spare_s(ctx, ref)
        assert await overdue(ctx, ref, "vacate") is None
        return before, await spare_s(ctx, ref), plan.upgrade_of[move.origin].start_s - move.start_s


def test_the_moves_of_a_node_that_is_emptied_are_not_counted_once_more() -> None:
    before, after, moves_s = virtual_time.run(_spared())
    assert moves_s > 0
    assert after - before == pytest.approx(moves_s)
