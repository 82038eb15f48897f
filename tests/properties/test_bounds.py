"""No plan undercuts the lower bounds: every order of the nodes of small clouds is played, and the best of all compared."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, event, given, settings

from escalator.upgrade_manager.planner import bounds
from properties.clouds import campaigns, clouds
from properties.orders import best, ready

NEAR_S = 1e-5
MOST_NODES = 4


@given(clouds(), campaigns())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_no_order_of_the_nodes_undercuts_the_bounds(cloud: dict[str, Any], wish: dict[str, Any]) -> None:
    made, rules, todo = ready(cloud, wish, MOST_NODES)
    if rules.width < 1 or not todo:
        return
    for key, (end_s, moves) in best(made, rules, todo, seeds=(0, len(todo))).items():
        parts = bounds.makespan(made, sorted(key), rules)
        binding = max(parts, key=lambda name: parts[name])
        event(f"binding: {binding}, exact: {abs(parts[binding] - end_s) < NEAR_S}")
        assert all(seconds <= end_s + NEAR_S for seconds in parts.values()), (parts, end_s)
        assert bounds.moves(made, sorted(key)) <= moves
