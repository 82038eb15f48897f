"""A campaign whose time is over before it begins is refused, with the date that says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.errors import ConditionsError
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

DAY_S = 24 * 3600


def _document(more: dict[str, Any]) -> str:
    spec = {"release": "nfvi-agent/2.0.0", "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}, **more}
    return json.dumps({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec})


async def _planned(more: dict[str, Any], begin_later_s: float = 0.0) -> None:
    async with staged() as stage:
        await stage.play("world nodes=3 seed=1\n")
        await stage.sim.campaigns.create(_document(more))
        await stage.sim.campaigns.plan("c")
        await stage.sim.ctx.clock.sleep(begin_later_s)
        await stage.sim.campaigns.start("c")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"not_after": "2020-01-01T00:00:00Z"}, "not_after (2020-01-01T00:00:00+00:00) has passed"),
        (
            {
                "windows": [{"days": ["sat"], "start": "01:00", "length_s": 3600, "time_zone": "UTC"}],
                "not_after": "2026-01-02T00:00:00Z",
            },
            "No maintenance window opens before not_after",
        ),
    ],
)
def test_time_that_is_over_is_refused_when_planned(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConditionsError) as caught:
        virtual_time.run(_planned(more))
    assert caught.value.code is Code.PLN_WINDOW
    assert said in caught.value.message


def test_time_that_ended_since_the_plan_is_refused_at_start() -> None:
    with pytest.raises(ConditionsError, match="has passed") as caught:
        virtual_time.run(_planned({"not_after": "2026-01-03T00:00:00Z"}, begin_later_s=3 * DAY_S))
    assert caught.value.code is Code.PLN_WINDOW
