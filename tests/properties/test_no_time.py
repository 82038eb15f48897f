"""Moves that are estimated to take no time: plans of them obey the rules, and the verifier sees them so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalator.model.codes import Code
from escalator.upgrade_manager.planner import policies
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from properties.clouds import campaigns, clouds
from properties.rolling import rolling_campaigns, rolling_clouds
from properties.test_plans import load

PROPERTIES = settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans need not be the best ones."""
    monkeypatch.setattr(policies, "TRIES", 0)


@given(
    st.one_of(st.tuples(rolling_clouds(), rolling_campaigns()), st.tuples(clouds(), campaigns())),
    st.sampled_from([0.0, 120.0]),
)
@PROPERTIES
def test_a_plan_of_moves_of_no_time_is_one_that_the_verifier_accepts(
    drawn: tuple[dict[str, Any], dict[str, Any]], cold_s: float
) -> None:
    cloud, wish = drawn
    wish["spec"]["estimates"] = {"migration": {"base_s": 0.0, "s_per_gib": 0.0}, "cold_s": cold_s}
    inventory, campaign = load(cloud, wish)
    assert verify(campaign, inventory, make_plan(campaign, inventory)) == []


@given(clouds(), campaigns())
@PROPERTIES
def test_upgrades_of_no_time_are_planned(cloud: dict[str, Any], wish: dict[str, Any]) -> None:
    wish["spec"]["estimates"] = {"upgrade_s": 0.0}
    inventory, campaign = load(cloud, wish)
    plan = make_plan(campaign, inventory)
    assert plan.bounds.makespan_s <= plan.totals.makespan_s + 1e-6


@pytest.mark.parametrize(("limit", "refused"), [(3, 0), (2, 1), (1, 2)])
def test_what_begins_at_one_moment_is_at_once_however_short_it_is(limit: int, refused: int) -> None:
    cell = {"pcpu": 8.0}
    cloud = {
        "apiVersion": "escalator/v1",
        "kind": "Inventory",
        "nodes": [{"id": f"n{n}", "numa": [cell, cell, cell]} for n in range(4)],
        "instances": [
            {"id": f"v{n}", "project": "p", "node": f"n{n}", "numa_cell": 0, "demand": {"pcpu": 8.0}, "groups": ["g"]}
            for n in range(3)
        ],
        "groups": [{"id": "g", "policy": "none", "max_impacted": 3, "recovery_s": 60.0}],
    }
    spec = {
        "release": "a/2.0.0",
        "mode": "smooth",
        "scope": {"select": {}},
        "waves": {"max_unavailable": 4},
        "estimates": {"migration": {"base_s": 0.0, "s_per_gib": 0.0}},
    }
    inventory, campaign = load(cloud, {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec})
    plan = make_plan(campaign, inventory)
    at_s = max(move.start_s for move in plan.moves)
    moves = tuple(move.model_copy(update={"start_s": at_s, "end_s": at_s}) for move in plan.moves)
    groups = tuple(group.model_copy(update={"max_impacted": limit}) for group in inventory.groups)
    found = verify(campaign, inventory.model_copy(update={"groups": groups}), plan.model_copy(update={"moves": moves}))
    assert sum(violation.code is Code.PLN_V_GROUP for violation in found) == refused
