"""Every order of the nodes of a small cloud, played by the search: the best that is possible, to compare bounds with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

from escalator.upgrade_manager.planner.actions import Stuck, action_for
from escalator.upgrade_manager.planner.cloud import Cloud, build
from escalator.upgrade_manager.planner.groups import blocked_by_groups
from escalator.upgrade_manager.planner.rules import rules_of
from escalator.upgrade_manager.planner.scope import select
from escalator.upgrade_manager.planner.search import Search
from escalator.upgrade_manager.planner.turns import Policy, Rules
from properties.test_plans import load


def ready(cloud: dict[str, Any], wish: dict[str, Any], most_nodes: int) -> tuple[Cloud, Rules, list[int]]:
    """The cloud and the rules as the search has them, and the first nodes that nothing blocks."""
    inventory, campaign = load(cloud, wish)
    scope = select(campaign, inventory)
    actions = {i.id: action_for(i, campaign.spec, managed=False) for i in inventory.instances}
    stuck = {i.node for i in inventory.instances if isinstance(actions[i.id], Stuck)}
    nodes = [node for node in scope.eligible if node.id not in stuck]
    blocked = blocked_by_groups(inventory, nodes, actions)
    free = [node for node in nodes if node.id not in blocked][:most_nodes]
    made = build(campaign, inventory, actions, free, scope.upgraded)
    todo = [number for number, is_ready in enumerate(made.ready) if is_ready]
    return made, rules_of(campaign, inventory, scope, made, None), todo


def best(made: Cloud, rules: Rules, todo: Sequence[int], seeds: Sequence[int]) -> dict[frozenset[int], tuple[float, int]]:
    """The soonest end, seconds, and the fewest moves for each set of nodes that some order of them gets done."""
    found: dict[frozenset[int], tuple[float, int]] = {}
    for order in permutations(todo):
        for count in seeds:
            played = Search(made, rules, Policy(fixed=order, seeds=count)).run()
            if not played.turns:
                continue
            key = frozenset(turn.node for turn in played.turns)
            mine = (played.end_s, sum(len(turn.moves) for turn in played.turns))
            known = found.get(key, mine)
            found[key] = (min(known[0], mine[0]), min(known[1], mine[1]))
    return found
