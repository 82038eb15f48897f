"""In which order instances arrive at each node: that in which they got their places there.

The cloud chooses the NUMA entry of an instance by what is free as it arrives (`escalator.model.entries`), and so does a
search that foresees it as it gives away places. Both come to the same where the order is the same. One whose groups keep
their places for nodes that are being emptied is passed by those behind it, on which such a node may wait: so of all others
the one that got its place first never waits for another, and no two wait for one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.turns import Placed

Shut = Callable[[Sequence[int], int, float], bool]
"""Whether one of the groups keeps its places from an instance of the node at that time, until nobody knows when."""


class Lines:
    """For each node with several entries, who is to arrive there and has not begun its move; the first one first."""

    def __init__(self, cloud: Cloud, is_shut: Shut) -> None:
        self._is_shut = is_shut
        self._choice = [len(cells) > 1 for cells in cloud.cells]
        self._lines: dict[int, dict[str, tuple[Sequence[int], int]]] = {}
        """By target and instance: the instance's groups, and the node that it leaves."""
        self._aside: set[str] = set()
        """Instances that were found kept by their groups since anyone behind them was told to wait for them."""

    def join(self, node: int, placed: Sequence[Placed]) -> None:
        """These got their places, in that order, and leave `node`."""
        for one in placed:
            if self._choice[one.target]:
                self._lines.setdefault(one.target, {})[one.guest.id] = one.guest.groups, node

    def is_next(self, one: Placed, now: float) -> bool:
        """Whether the instance may arrive next: nobody is before it but those that their groups keep."""
        for name, (groups, node) in self._lines.get(one.target, {}).items():
            if name == one.guest.id:
                return True
            if not (groups and self._is_shut(groups, node, now)):
                self._aside.discard(name)
                return False
        return True

    def steps_aside(self, one: Placed) -> bool:
        """Its groups keep the instance; whether those behind it have to be told."""
        if not self._choice[one.target] or one.guest.id in self._aside:
            return False
        self._aside.add(one.guest.id)
        return True

    def leave(self, one: Placed) -> None:
        """Its move begins."""
        self._lines.get(one.target, {}).pop(one.guest.id, None)
        self._aside.discard(one.guest.id)
