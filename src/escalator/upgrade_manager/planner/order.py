"""What has to end before a node's turn: the engine follows the plan's order, not its clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from escalator.model.inventory import Inventory
from escalator.model.plan import Plan


def predecessors(plan: Plan, inventory: Inventory) -> dict[str, frozenset[str]]:
    """For each node of the plan, the nodes whose turn has to end first, because they share a node or a group with it.

    These are the targets of its moves that are upgraded before, the nodes that move something onto it, and the nodes of
    earlier waves on which a member of one of its groups is impacted.
    """
    wave = {upgrade.node: upgrade.wave for upgrade in plan.upgrades}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for move in plan.moves:
        if move.target in wave and not move.extra:
            found[move.origin].add(move.target)
        elif move.target in wave:
            found[move.target].add(move.origin)
    for nodes in _by_group(plan, inventory).values():
        for node in nodes:
            found[node] |= {other for other in nodes if wave[other] < wave[node]}
    return {node: frozenset(found[node] - {node}) for node in wave}


def _by_group(plan: Plan, inventory: Inventory) -> Mapping[str, set[str]]:
    """Nodes of the plan on which members of each group are impacted."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    impacted = [(m.instance, m.origin) for m in plan.moves]
    impacted += [(i.instance, i.node) for i in plan.impacts if i.kind != "offline"]
    for instance_id, node in impacted:
        for group in inventory.instance_by_id[instance_id].groups:
            nodes[group].add(node)
    return nodes
