"""Held nodes in plans: left out with why, and alone no reason for a plan not to be smooth."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, left_out, node, order, plan_of, vm


def test_a_held_node_is_left_out_with_the_reason_and_the_plan_stays_smooth() -> None:
    plan = plan_of(node("a", hold="held by a person: ticket"), node("b"), node("c"), vm("v", "b"))
    assert left_out(plan) == {"a": "held by a person: ticket"}
    assert plan.smooth
    assert "a" not in order(plan)
    assert [move.target for move in plan.moves] == ["c"]


def test_a_held_node_that_has_begun_or_is_done_is_as_any_other() -> None:
    plan = plan_of(node("a", hold="held by a person", progress="done"), node("b"), vm("v", "b"))
    assert left_out(plan) == {"a": "already upgraded"}
    assert [move.target for move in plan.moves] == ["a"]


def test_the_verifier_refuses_a_plan_that_upgrades_a_held_node() -> None:
    wish = campaign()
    plan = make_plan(wish, cloud(node("a"), node("b")))
    held = cloud(node("a", hold="held by a person"), node("b"))
    assert Code.PLN_V_STATE in {violation.code for violation in verify(wish, held, plan)}
