"""Racks, zones and aggregates of which only so many nodes may be out of service at once, in a repair."""

from __future__ import annotations

from collections import Counter

from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.scope import is_out

Part = tuple[int, str]
"""The number of a rule of `waves.spread`, and a value that it counts nodes of."""


class Domains:
    """What the rules of `waves.spread` say of the nodes of a repair."""

    def __init__(self, given: Given) -> None:
        rules, scope = given.campaign.spec.waves.spread, given.campaign.spec.scope
        self.most: dict[Part, int] = {}
        """How many of each may be out of service beside those that are so anyway."""
        self._parts: dict[str, tuple[Part, ...]] = {}
        for number, rule in enumerate(rules):
            out = [node for node in given.inventory.nodes if is_out(node) and scope.includes(node)]
            down = Counter(value for node in out for value in rule.values(node))
            for node in given.nodes:
                mine = tuple((number, value) for value in rule.values(node))
                self._parts[node.id] = (*self._parts.get(node.id, ()), *mine)
                self.most.update((part, rule.max - down[part[1]]) for part in mine)

    def of(self, node: str) -> tuple[Part, ...]:
        """What the node is counted in."""
        return self._parts.get(node, ())
