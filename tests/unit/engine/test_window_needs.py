"""How much of a maintenance window a node's turn needs."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.upgrade_manager.engine.windows import needs_s
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, node, plan_of, vm

WINDOWS = ({"start": "01:00", "length_s": 5400, "days": ["sat"]},)


def test_a_rest_of_the_campaign_makes_no_turn_longer() -> None:
    things = [node(name) for name in "abc"]
    spec = campaign(windows=WINDOWS).spec
    plan = plan_of(*things, windows=WINDOWS)
    first, *others = plan.upgrades
    # A child plan, made when the first node had begun; it stood still for two hours in the middle.
    stood = first.model_copy(update={"end_s": first.end_s + 7200.0})
    rest = [u.model_copy(update={"start_s": u.start_s + 7200.0, "end_s": u.end_s + 7200.0}) for u in others]
    child = plan.model_copy(update={"at_s": 7200.0, "upgrades": (stood, *rest)})
    usual, needed = needs_s(plan, spec, cloud(*things)), needs_s(child, spec, cloud(*things))
    assert {n: needed[n] for n in needed if n != first.node} == {n: usual[n] for n in usual if n != first.node}


def test_the_lead_time_counts_for_planner_verifier_and_engine_alike() -> None:
    """Three hours of window, turns of 20 minutes and as long for a rollback: with a lead time of two hours few may begin."""
    windows = ({"start": "01:00", "length_s": 10800, "days": ["sat"]},)
    notify = {"notify": {"lead_time_s": 7200}}
    things = [node("a"), node("b"), node("c"), *(vm(f"v{name}", name) for name in "bc")]
    plain = plan_of(*things, windows=windows)
    assert {upgrade.window for upgrade in plain.upgrades} == {0}
    spec = campaign(windows=windows, workloads=notify)
    plan = plan_of(*things, windows=windows, workloads=notify)
    assert {upgrade.window for upgrade in plan.upgrades} != {0}
    assert verify(spec, cloud(*things), plan) == []
    needed, usual = needs_s(plan, spec.spec, cloud(*things)), needs_s(plain, campaign(windows=windows).spec, cloud(*things))
    assert {name: needed[name] - usual[name] for name in ("a", "b")} == {"a": 0.0, "b": 7200.0}
    # By the plan without a lead time, turns would have to begin in a window that is too short for them.
    assert {wrong.code for wrong in verify(spec, cloud(*things), plain)} >= {Code.PLN_V_WINDOW}


def test_one_instance_that_wants_to_know_early_holds_back_its_own_node_alone() -> None:
    things = [node("a"), node("b"), vm("v", "b", lead_s=900.0)]
    spec = campaign(windows=WINDOWS).spec
    needed = needs_s(plan_of(*things, windows=WINDOWS), spec, cloud(*things))
    assert needed["b"] - needed["a"] >= 900.0
