"""Nodes that wait until the targets are upgraded that a plan so far gives their instances."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence


class Awaiting:
    """Whoever has its targets is looked at, in the order of the plan so far; nobody else.

    `targets`: for each node the nodes that have to be upgraded before its turn.
    """

    def __init__(self, order: Sequence[int], targets: Mapping[int, set[int]]) -> None:
        self._rank = {node: rank for rank, node in enumerate(order)}
        self._lacks = {node: set(targets.get(node, ())) for node in order}
        self._holds_up: defaultdict[int, list[int]] = defaultdict(list)
        for node, lacks in self._lacks.items():
            for target in lacks:
                self._holds_up[target].append(node)
        self._open = [node for node in order if not self._lacks[node]]

    def came_back(self, node: int) -> None:
        """The node is upgraded."""
        for other in self._holds_up.pop(node, ()):
            lacks = self._lacks[other]
            lacks.discard(node)
            if not lacks:
                insort(self._open, other, key=self._rank.__getitem__)

    def order(self, waiting: Container[int]) -> Sequence[int]:
        """Nodes that can have their turn as far as targets go, first to last."""
        self._open = [node for node in self._open if node in waiting]
        return self._open
