"""The cloud refuses what the plan of the way back needs to be made: once it does not, the way back can be gone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.inventory import Inventory
from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

UPGRADED = "world nodes=3 seed=1\ncampaign agent\nplan agent\nstart agent\nrun agent"
PASSWORD = "The password of our user has expired."


async def _refused(stage: Stage, lines: str) -> None:
    """Play these while the cloud does not let us see it."""
    cloud = stage.sim.ctx.cloud
    seen = cloud.inventory

    async def inventory(_: Migration) -> Inventory:
        raise PermanentError(Code.CLD_CREDENTIALS, PASSWORD)

    cloud.inventory = inventory  # type: ignore[method-assign]
    await stage.play(lines)
    cloud.inventory = seen  # type: ignore[method-assign]


async def _afterwards(verb: str) -> tuple[CampaignState, Sequence[str], Sequence[str], Sequence[str]]:
    async with staged() as stage:
        await stage.play(UPGRADED)
        await _refused(stage, "rollback agent\nrun agent\nretry agent cn-0002\nrun agent")
        view = await stage.sim.campaigns.show("agent")
        assert (view.row.state, view.row.reason) == (CampaignState.ROLLBACK_FAILED, PASSWORD)
        await stage.play(f"{verb}\nwait 20000\nrun agent\nruns cn-0001 cn-0002 cn-0003")
        row = await stage.sim.store.campaigns.get("agent")
        assert row is not None
        return row.state, view.next, stage.lines[-3:], list(await stage.invariants())


@pytest.mark.parametrize(
    ("verb", "end"),
    [("retry agent cn-0002", CampaignState.ROLLED_BACK), ("restore agent", CampaignState.RESTORED)],
)
def test_a_way_back_that_could_not_be_planned_is_tried_again(verb: str, end: CampaignState) -> None:
    state, verbs, runs, broken = virtual_time.run(_afterwards(verb))
    assert state is end
    assert verbs == ["escalator node retry agent cn-0002", "escalator campaign restore agent", "escalator campaign abort agent"]
    assert all("'nfvi-agent': '1.0.0'" in line for line in runs)
    assert broken == []
