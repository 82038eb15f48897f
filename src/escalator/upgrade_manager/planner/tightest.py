"""Cells by how little is free in them, for small clouds.

Each shape has a heap of the cells that may still take one, the tightest on top. On upgraded nodes room only shrinks: a
cell that does not fit any more is dropped for good, and one that is tighter than its entry says is put back where it
belongs.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Protocol

from escalator.upgrade_manager.planner.cloud import SLACK, Guest, Shape
from escalator.upgrade_manager.planner.spread import Shut, is_shut
from escalator.upgrade_manager.planner.standing import Standing

LOOKED_AT = 4
"""Fitting cells that are weighed against each other before the best of them is taken."""


class Nodes(Container[int], Iterable[int], Protocol):
    """Nodes that take instances, in the order in which they were added."""


class Tightest:
    """The order of cells for every shape that was asked for."""

    def __init__(self, standing: Standing, nodes: Nodes, may_go: Callable[[Shape, int], bool], queue_weight: float) -> None:
        self._standing, self._cloud, self._nodes, self._may_go = standing, standing.cloud, nodes, may_go
        self._weight = queue_weight
        self._heaps: dict[Shape, list[tuple[float, int]]] = {}
        self.passed = False

    def changed(self, cells: tuple[int, ...], *, freed: bool) -> None:
        """There is less room in the cells; or `freed`: there is more, or their node takes instances from now on."""
        if not freed:
            return
        node = self._cloud.host[cells[0]] if cells else -1
        for shape, heap in self._heaps.items():
            if cells and self._may_go(shape, node):
                for cell in cells:
                    self._offer(shape, heap, cell)

    def places(self, guest: Guest, most: int, *, soft: bool, shut: Sequence[Shut] = ()) -> list[tuple[int, tuple[int, ...]]]:
        """At most so many nodes that can take the instance, with the cells it would use, the tightest first; none `shut`."""
        shape, standing, key = guest.shape, self._standing, self._cloud.key
        heap = self._heaps.get(shape)
        if heap is None:
            heap = self._heaps[shape] = self._fresh(shape)
        found: list[tuple[int, tuple[int, ...]]] = []
        seen: list[tuple[float, int]] = []
        self.passed = False
        last = -1
        while heap and len(found) < most:
            entry = heap[0]
            cell = entry[1]
            node = self._cloud.host[cell]
            free = standing.free[cell][key]
            if node not in self._nodes or not standing.fits(shape, cell) or cell == last:
                heapq.heappop(heap)
                continue
            if free < entry[0] - SLACK:
                heapq.heapreplace(heap, (free, cell))
                continue
            last = cell
            seen.append(heapq.heappop(heap))
            if shut and is_shut(shut, node):
                self.passed = True
                continue
            if standing.may_join(guest, node, soft=soft):
                cells = standing.given(shape, cell)
                if cells:
                    found.append((node, cells))
        for entry in seen:
            heapq.heappush(heap, entry)
        return found

    def best(self, guest: Guest, *, soft: bool, shut: Sequence[Shut]) -> tuple[int, tuple[int, ...]] | None:
        """The best node and cells: the share of room that stays free, and the weight of each arrival still expected."""
        weight, arriving = self._weight, self._standing.arriving
        if not weight:
            return next(iter(self.places(guest, 1, soft=soft, shut=shut)), None)
        key, free, capacity = self._cloud.key, self._standing.free, self._cloud.capacity
        return min(
            self.places(guest, LOOKED_AT, soft=soft, shut=shut),
            key=lambda p: free[p[1][0]][key] / (capacity[p[1][0]][key] or 1.0) + weight * arriving[p[0]],
            default=None,
        )

    def _fresh(self, shape: Shape) -> list[tuple[float, int]]:
        heap: list[tuple[float, int]] = []
        for node in self._nodes:
            if self._may_go(shape, node):
                for cell in self._cloud.cells[node]:
                    self._offer(shape, heap, cell)
        return heap

    def _offer(self, shape: Shape, heap: list[tuple[float, int]], cell: int) -> None:
        if self._standing.fits(shape, cell):
            heapq.heappush(heap, (self._standing.free[cell][self._cloud.key], cell))
