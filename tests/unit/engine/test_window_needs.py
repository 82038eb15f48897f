"""How much of a maintenance window a node's turn needs."""

from __future__ import annotations

from escalator.upgrade_manager.engine.windows import needs_s
from unit.planner.clouds import campaign, node, plan_of

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
    usual, needed = needs_s(plan, spec), needs_s(child, spec)
    assert {n: needed[n] for n in needed if n != first.node} == {n: usual[n] for n in usual if n != first.node}
