"""What has to end before a node's turn: the engine follows the plan's order, not its clock."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping

from escalator.model.inventory import Inventory
from escalator.model.plan import Plan

NEAR_S = 1e-6
MANY = 64
"""Nodes up to which a group's order is kept pair by pair; in larger groups a node waits for the one before it only."""


def predecessors(plan: Plan, inventory: Inventory) -> dict[str, frozenset[str]]:
    """For each node of the plan, the nodes whose turn has to end first, because they share a node or a group with it.

    These are the targets of its moves that are upgraded before, the nodes that move something onto it, and the nodes that
    impact a member of one of its groups and whose turn ends, in the plan, before its own begins. Groups that allow all of
    their members at once order nothing. A node with what manages VNFs waits for every other that ends before it in the plan.
    """
    spans = _turns(plan)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for move in plan.moves:
        if move.target in spans and not move.extra:
            found[move.origin].add(move.target)
        elif move.target in spans:
            found[move.target].add(move.origin)
    for nodes in _by_group(plan, inventory).values():
        for before, node in _ordered(nodes, spans):
            found[node].add(before)
    managing = _managing(plan, inventory)
    for node in managing & spans.keys():
        found[node] |= {other for other, span in spans.items() if other not in managing and span[1] <= spans[node][0] + NEAR_S}
    return {node: frozenset(found[node] - {node}) for node in spans}


def _managing(plan: Plan, inventory: Inventory) -> set[str]:
    """Nodes from which the plan moves, or on which it impacts, what manages VNFs."""
    touched = [(m.instance, m.origin) for m in plan.moves] + [(i.instance, i.node) for i in plan.impacts]
    return {node for instance, node in touched if inventory.instance_by_id[instance].management}


def _turns(plan: Plan) -> dict[str, tuple[float, float]]:
    """When each node is out of service: from its first departure, else its upgrade, to the end of its upgrade."""
    spans = {upgrade.node: (upgrade.start_s, upgrade.end_s) for upgrade in plan.upgrades}
    for move in plan.moves:
        if move.origin in spans:
            begins, ends = spans[move.origin]
            spans[move.origin] = (min(begins, move.start_s), ends)
    return spans


def _ordered(nodes: set[str], spans: Mapping[str, tuple[float, float]]) -> Iterator[tuple[str, str]]:
    """Pairs of nodes of which the first ends before the second begins."""
    row = sorted((node for node in nodes if node in spans), key=lambda node: (spans[node], node))
    if len(row) > MANY:
        yield from ((a, b) for a, b in itertools.pairwise(row) if spans[a][1] <= spans[b][0] + NEAR_S)
        return
    for number, node in enumerate(row):
        yield from ((before, node) for before in row[:number] if spans[before][1] <= spans[node][0] + NEAR_S)


def _by_group(plan: Plan, inventory: Inventory) -> Mapping[str, set[str]]:
    """Nodes of the plan on which members of each group are impacted, for groups that do not allow all at once."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    impacted = [(m.instance, m.origin) for m in plan.moves]
    impacted += [(i.instance, i.node) for i in plan.impacts if i.kind != "offline"]
    binding: dict[str, bool] = {}
    for instance_id, node in impacted:
        for name in inventory.instance_by_id[instance_id].groups:
            if name not in binding:
                group = inventory.group_by_id[name]
                members = len(inventory.members[name])
                binding[name] = group.limit(members) < members or group.recovery_s > 0
            if binding[name]:
                nodes[name].add(node)
    return nodes
