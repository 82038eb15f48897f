"""What hooks of a node's turn are expected to take counts in plans, on any hardware, and in whether a turn fits its window."""

from __future__ import annotations

from typing import Any

from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, failing, node, plan_of, vm

THINGS = (node("a", labels={"model": "slow"}), node("b"), vm("v", "a"))
WINDOWS = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "01:00", "length_s": 1200, "time_zone": "UTC"}]


def estimates(hooks_s: float) -> dict[str, Any]:
    slow = {"labels": {"model": "slow"}, "upgrade_s": 900.0}
    return {"upgrade_s": 600.0, "hardware": [slow], "hooks_s": hooks_s, "p90": 1.0, "rollback_s": 0.0}


def test_turns_are_longer_by_it_and_the_verifier_says_the_same() -> None:
    plan = plan_of(*THINGS, estimates=estimates(120.0))
    assert {u.node: u.end_s - u.start_s for u in plan.upgrades} == {"a": 1020.0, "b": 720.0}
    assert list(verify(campaign(estimates=estimates(120.0)), cloud(*THINGS), plan)) == []
    assert list(verify(campaign(estimates=estimates(300.0)), cloud(*THINGS), plan)) != []


def test_a_turn_with_its_hooks_has_to_fit_into_its_window() -> None:
    assert plan_of(*THINGS, estimates=estimates(120.0), windows=WINDOWS).smooth
    assert set(failing(plan_of(*THINGS, estimates=estimates(600.0), windows=WINDOWS))) == {"ESC-PLN-009"}
