from __future__ import annotations

import pytest

from escalator.model.inventory import Instance
from escalator.vim_interface.messages import notification
from escalator.vim_interface.notices import asking
from escalator.vim_interface.port import Ask


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (0.1, {"expectedInterruption": 0.5, "impact": True}),
        (0.5, {"expectedInterruption": 0.5, "impact": False}),
        (None, {}),
    ],
)
def test_a_move_that_is_noticed_is_told_as_an_impact(declared: float | None, told: dict[str, object]) -> None:
    instance = Instance(id="v", project="p", node="a", max_interruption_s=declared)
    ask = Ask(
        task="c/a/1",
        campaign="c",
        node="a",
        instances=(instance,),
        planned={"v": "live"},
        interruptions={"v": 0.5},
        reply_by=10.0,
        action_at=11.0,
    )
    (notice,) = asking(ask, {"v": "m"}, 0.0, lambda: "token")
    (resource,) = notification(notice, "http://here")["affectedResources"]
    assert {key: resource[key] for key in ("expectedInterruption", "impact") if key in resource} == told
