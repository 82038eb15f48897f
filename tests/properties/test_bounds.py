"""No plan undercuts the lower bounds: every order of the nodes of small clouds is played, and the best of all compared."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from hypothesis import HealthCheck, event, given, settings

from escalator.upgrade_manager.planner import bounds
from escalator.upgrade_manager.planner.actions import Stuck, action_for
from escalator.upgrade_manager.planner.cloud import build
from escalator.upgrade_manager.planner.groups import blocked_by_groups
from escalator.upgrade_manager.planner.rules import rules_of
from escalator.upgrade_manager.planner.scope import select
from escalator.upgrade_manager.planner.search import Search
from escalator.upgrade_manager.planner.turns import Policy
from properties.clouds import campaigns, clouds
from properties.test_plans import load

NEAR_S = 1e-5
MOST_NODES = 4


@given(clouds(), campaigns())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_no_order_of_the_nodes_undercuts_the_bounds(cloud: dict[str, Any], wish: dict[str, Any]) -> None:
    inventory, campaign = load(cloud, wish)
    scope = select(campaign, inventory)
    actions = {i.id: action_for(i, campaign.spec, managed=False) for i in inventory.instances}
    stuck = {i.node for i in inventory.instances if isinstance(actions[i.id], Stuck)}
    nodes = [node for node in scope.eligible if node.id not in stuck]
    blocked = blocked_by_groups(inventory, nodes, actions)
    free = [node for node in nodes if node.id not in blocked][:MOST_NODES]
    made = build(campaign, inventory, actions, free, scope.upgraded)
    rules = rules_of(campaign, inventory, scope, made, None)
    if rules.width < 1 or not free:
        return
    todo = [number for number, ready in enumerate(made.ready) if ready]
    best: dict[frozenset[int], tuple[float, int]] = {}
    for order in permutations(todo):
        for seeds in (0, len(todo)):
            found = Search(made, rules, Policy(fixed=order, seeds=seeds)).run()
            if not found.turns:
                continue
            key = frozenset(turn.node for turn in found.turns)
            mine = (found.end_s, sum(len(turn.moves) for turn in found.turns))
            known = best.get(key, mine)
            best[key] = (min(known[0], mine[0]), min(known[1], mine[1]))
    for key, (end_s, moves) in best.items():
        parts = bounds.makespan(made, sorted(key), rules)
        binding = max(parts, key=lambda name: parts[name])
        event(f"binding: {binding}, exact: {abs(parts[binding] - end_s) < NEAR_S}")
        assert all(seconds <= end_s + NEAR_S for seconds in parts.values()), (parts, end_s)
        assert bounds.moves(made, sorted(key)) <= moves
