"""Plans expect of a move what was seen before, where it was, and say which of the two a figure is."""

from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.inventory import Seen
from escalator.model.plan import Interruption, Plan
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, node, vm

NEEDS = campaign(waves={"max_unavailable": 1})


def planned(*seen: Seen) -> tuple[Plan, set[Code]]:
    inventory = cloud(node("a"), node("b"), vm("v", "a", max_interruption_s=0.2, seen=seen), vm("w", "a"))
    plan = make_plan(NEEDS, inventory)
    # As if it could be done: whoever checks it on its own has to find the same.
    wrong = verify(NEEDS, inventory, plan.model_copy(update={"smooth": True}))
    return plan, {violation.code for violation in wrong}


def said(plan: Plan) -> str:
    return next((condition.message for condition in plan.conditions if condition.code == Code.VIM_NOTICED.value), "")


def test_nothing_seen_leaves_the_estimate_of_the_document() -> None:
    plan, wrong = planned()
    row = Interruption(instance="v", kind="live", expected_s=0.5, source="estimate", tolerates_s=0.2, noticed=True)
    assert (plan.smooth, plan.interruptions) == (False, (row,))
    assert wrong >= {Code.VIM_V_NOTICED}
    assert "expected to take 0.5 s" in said(plan)


def test_what_was_seen_counts_instead() -> None:
    plan, wrong = planned(Seen(kind="live", longest_s=0.08, campaign="c1"), Seen(kind="cold", longest_s=60, campaign="c1"))
    (row,) = plan.interruptions
    assert (row.expected_s, row.source, row.campaign, row.noticed) == (0.08, "seen", "c1", False)
    assert (plan.smooth, said(plan)) == (True, "")
    assert Code.VIM_V_NOTICED not in wrong


@pytest.mark.parametrize(("longest_s", "expected_s", "source"), [(0.08, 0.5, "estimate"), (0.9, 0.9, "seen")])
def test_the_least_that_it_can_have_been_makes_no_estimate_shorter(longest_s: float, expected_s: float, source: str) -> None:
    plan, wrong = planned(Seen(kind="live", longest_s=longest_s, at_least=True, campaign="c1"))
    (row,) = plan.interruptions
    assert (row.expected_s, row.source, row.noticed) == (expected_s, source, True)
    assert (plan.smooth, Code.VIM_V_NOTICED in wrong) == (False, True)
    assert f"expected to take {expected_s:g} s" in said(plan)
