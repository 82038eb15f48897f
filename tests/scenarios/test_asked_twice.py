"""Two people ask for the way back of a campaign at the same time: the second is refused, and the first one's goes on as asked."""

from __future__ import annotations

import asyncio
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.rollback.planning import OUTSIDE_WINDOWS
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

UPGRADED = """
world nodes=4 seed=1 fill=35
campaign agent mode=non-smooth waves.max_unavailable=1 windows=[{"days":["thu"],"start":"01:00","length_s":36000}]
plan agent
start agent
run agent
wait 600
"""


def _one_at_a_time(stage: Stage) -> None:
    """The planner has one worker: who asks while it plans for somebody else waits for that."""
    planning, clock, turn = stage.sim.ctx.planning, stage.clock, asyncio.Lock()
    plan = planning.plan

    async def planned(*given: Any, **more: Any) -> Any:
        async with turn:
            await clock.sleep(20.0)
            return await plan(*given, **more)

    planning.plan = planned  # type: ignore[method-assign]


async def _asked_by_two() -> tuple[list[Any], dict[str, Any], CampaignState, list[str]]:
    async with staged() as stage:
        await stage.play(UPGRADED)
        _one_at_a_time(stage)
        back = stage.sim.campaigns.back
        asked = back.rollback("agent", "by night"), back.rollback("agent", "now", outside_windows=True)
        told = await asyncio.gather(*asked, return_exceptions=True)
        memo = dict(await stage.sim.store.tasks.memo("agent"))
        for _ in range(14 * 24):
            await stage.clock.sleep(3600)
            if (await stage.sim.campaigns.show("agent")).row.state is CampaignState.ROLLED_BACK:
                break
        return told, memo, (await stage.sim.campaigns.show("agent")).row.state, list(await stage.invariants())


def test_the_second_of_two_who_ask_for_the_way_back_is_refused_and_changes_nothing() -> None:
    (first, second), memo, end, broken = virtual_time.run(_asked_by_two())
    assert (first.state, first.reason) == (CampaignState.ROLLING_BACK, "by night")
    assert isinstance(second, ConflictError)
    assert second.code is Code.UPG_STATE
    assert memo[OUTSIDE_WINDOWS] is False
    assert end is CampaignState.ROLLED_BACK
    assert broken == []
