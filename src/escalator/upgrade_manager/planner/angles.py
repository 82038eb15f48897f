"""Cells by how well they suit an instance.

Room has several resources, and a cell is full when one of them is: what is left of the others is lost. So the best cell
is the one whose free room has most nearly the proportions of what the instance needs (the angle between the two, every
resource measured by what the cloud has of it). Small and large, thirsty and frugal instances then end up together, and
cells fill to the last CPU; the tightest cell alone would leave CPUs behind where something else ran out. Of cells that
suit alike, and all do where one resource is asked for, the tightest is the best.

Each shape has a heap of the cells that may take one, the best on top. What changed since the shape was asked about last
is put right when it is asked about again.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Container, Mapping, Sequence
from math import inf, sqrt

from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Guest, Shape
from escalator.upgrade_manager.planner.spread import Shut, is_shut
from escalator.upgrade_manager.planner.standing import Standing, is_barred

TIGHT = 1e-3
"""What an average entry, all of it free, counts beside the cosine: of two that suit alike the tighter one is taken."""
LOOKED_AT = 16
"""Fitting cells that are weighed against each other before the best of them is taken; many suit alike by their angle."""
MOST_KEPT = 20_000
"""States of cells of which the worth for one shape is kept. Clouds have few: instances come in few sizes."""


class _ByShape:
    """Cells that may take one shape, the best on top; entries that are not `true` any more are passed over."""

    __slots__ = ("allowed", "entries", "kept", "parts", "read", "true")

    def __init__(self, cloud: Cloud, shape: Shape) -> None:
        length = sqrt(sum(amount * amount * cloud.scale[resource] for resource, amount in shape.demand)) or 1.0
        self.parts = tuple((resource, amount * cloud.scale[resource] / length) for resource, amount in shape.demand)
        self.entries: list[tuple[float, int]] = []
        self.true = array("d", [inf]) * len(cloud.host)
        """What each cell is worth now, the lower the better; infinite for one that takes none."""
        self.allowed: list[bool | None] = [None] * len(cloud.nodes)
        """Whether the shape may go to each node, as far as it was asked."""
        self.read = 0
        """Changes that are put right."""
        self.kept: dict[tuple[float, ...], float] = {}
        """What a cell is worth in which so much is free."""


class Angles:
    """The order of cells for every shape that was asked for."""

    def __init__(self, standing: Standing, nodes: Container[int], may_go: Callable[[Shape, int], bool]) -> None:
        self._standing, self._cloud, self._nodes, self._may_go = standing, standing.cloud, nodes, may_go
        self._shapes: dict[Shape, _ByShape] = {}
        self._changes: list[int] = []
        """Cells whose room changed, in the order of time."""
        self.passed = False

    def changed(self, cells: tuple[int, ...], *, freed: bool) -> None:  # noqa: ARG002 - the other order asks for it
        """The cells have more room or less, or their node takes instances now or does not any more."""
        self._changes += cells

    def places(self, guest: Guest, most: int, *, soft: bool, shut: Sequence[Shut] = ()) -> list[tuple[int, tuple[int, ...]]]:
        """At most so many nodes that can take the instance, with the cells it would use, the best first; none `shut`."""
        shape, standing = guest.shape, self._standing
        fitting = self._right(shape)
        heap, true, host = fitting.entries, fitting.true, self._cloud.host
        found: list[tuple[int, tuple[int, ...]]] = []
        seen: list[tuple[float, int]] = []
        self.passed = False
        while heap and len(found) < most:
            entry = heapq.heappop(heap)
            worth, cell = entry
            if true[cell] != worth or (seen and seen[-1] == entry):
                continue
            seen.append(entry)
            node = host[cell]
            if shut and is_shut(shut, node):
                self.passed = True
                continue
            if standing.may_join(guest, node, soft=soft):
                cells = (cell,) if shape.span == 1 else standing.together(shape, node)
                if cells:
                    found.append((node, cells))
        for entry in seen:
            heapq.heappush(heap, entry)
        return found

    def best(
        self, guest: Guest, arriving: Mapping[int, int], weight: float, *, soft: bool, shut: Sequence[Shut]
    ) -> tuple[int, tuple[int, ...]] | None:
        """The best node and cells, each arrival that a node still expects counting `weight` beside the cosine."""
        shape, standing = guest.shape, self._standing
        fitting = self._right(shape)
        heap, true, host = fitting.entries, fitting.true, self._cloud.host
        barred = standing.barred(guest, soft=soft)
        best: tuple[int, tuple[int, ...]] | None = None
        least = inf
        looked_at = 0
        seen: list[tuple[float, int]] = []
        self.passed = False
        # No cell costs less than it is worth, so that behind one worth more than the best so far none can be better.
        while heap and heap[0][0] < least and looked_at < LOOKED_AT:
            entry = heapq.heappop(heap)
            worth, cell = entry
            if true[cell] != worth or (seen and seen[-1] == entry):
                continue
            seen.append(entry)
            node = host[cell]
            if shut and is_shut(shut, node):
                self.passed = True
                continue
            if barred and is_barred(barred, node):
                continue
            cells = (cell,) if shape.span == 1 else standing.together(shape, node)
            if cells:
                looked_at += 1
                cost = true[cells[0]] + weight * arriving.get(node, 0)
                if cost < least:
                    best, least = (node, cells), cost
        for entry in seen:
            heapq.heappush(heap, entry)
        return best

    def _right(self, shape: Shape) -> _ByShape:
        """The cells for a shape as they are now."""
        fitting = self._shapes.get(shape)
        if fitting is None:
            fitting = self._shapes[shape] = _ByShape(self._cloud, shape)
        if fitting.read < len(self._changes):
            self._put_right(shape, fitting)
        return fitting

    def _put_right(self, shape: Shape, fitting: _ByShape) -> None:
        """Look again at what changed since."""
        true, host, kept, free = fitting.true, self._cloud.host, fitting.kept, self._standing.free
        for cell in set(self._changes[fitting.read :]):
            state = tuple(free[cell])
            worth = kept.get(state, -inf)
            if worth == -inf:
                if len(kept) >= MOST_KEPT:
                    kept.clear()
                worth = kept[state] = self._worth(shape, fitting, cell)
            if worth < inf and not self._open(shape, fitting, host[cell]):
                worth = inf
            if worth != true[cell]:
                true[cell] = worth
                if worth < inf:
                    heapq.heappush(fitting.entries, (worth, cell))
        fitting.read = len(self._changes)

    def _open(self, shape: Shape, fitting: _ByShape, node: int) -> bool:
        if node not in self._nodes:
            return False
        allowed = fitting.allowed[node]
        if allowed is None:
            allowed = fitting.allowed[node] = self._may_go(shape, node)
        return allowed

    def _worth(self, shape: Shape, fitting: _ByShape, cell: int) -> float:
        """The negative cosine between what is free and what is needed, and its size; infinite where it does not fit."""
        free = self._standing.free[cell]
        for resource, amount in shape.demand:
            if free[resource] + SLACK < amount:
                return inf
        along = length = 0.0
        for resource, part in fitting.parts:
            along += free[resource] * part
        for amount, scale in zip(free, self._cloud.scale, strict=True):
            length += amount * amount * scale
        size = sqrt(length)
        return TIGHT * size - along / size if size else 0.0
