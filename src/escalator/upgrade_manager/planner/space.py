"""Free room on a set of nodes, kept so that the tightest cell that takes an instance is found without looking at all.

Instances come in few shapes. Each shape has a heap of the cells that may still take one, the tightest on top. On upgraded
nodes room only shrinks: a cell that does not fit any more is dropped for good, and one that is tighter than its entry
says is put back where it belongs.
"""

from __future__ import annotations

import heapq
from itertools import combinations

from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Guest, Shape, may_go


class Standing:
    """Who is where during one run of a search: what is free in each cell, and which groups are on which node."""

    def __init__(self, cloud: Cloud, max_fill: float) -> None:
        self.cloud = cloud
        self.max_fill = max_fill
        self.free = [
            [amount * max_fill - taken for amount, taken in zip(capacity, used, strict=True)]
            for capacity, used in zip(cloud.capacity, cloud.used, strict=True)
        ]
        self.apart: list[dict[int, int]] = [{} for _ in cloud.limits]
        """Per group of anti-affinity, hard or soft: members on each node, moving ones at both ends."""
        self.count = [len(guests) for guests in cloud.guests]
        """Instances on each node, arriving ones included."""
        for node, guests in enumerate(cloud.guests):
            for guest in guests:
                self._count(guest, node, 1)

    def take(self, guest: Guest, node: int, cells: tuple[int, ...], sign: int = 1) -> None:
        """The instance occupies the cells from now on; with `sign` -1 it has left them."""
        for cell in cells:
            free = self.free[cell]
            for resource, amount in guest.shape.demand:
                free[resource] -= sign * amount
        self.count[node] += sign
        self._count(guest, node, sign)

    def _count(self, guest: Guest, node: int, sign: int) -> None:
        for group in (*guest.apart, *guest.soft):
            there = self.apart[group]
            there[node] = there.get(node, 0) + sign

    def fits(self, shape: Shape, cell: int) -> bool:
        """Whether the cell has what one cell of the shape needs."""
        free = self.free[cell]
        for resource, amount in shape.demand:  # noqa: SIM110 - a generator costs three times as much, and this is the hot spot
            if free[resource] + SLACK < amount:
                return False
        return True

    def may_join(self, guest: Guest, node: int, *, soft: bool) -> bool:
        """Whether no member of its anti-affinity groups is on the node; `soft`: of the soft ones neither."""
        if any(self.apart[group].get(node) for group in guest.apart):
            return False
        return not soft or not any(self.apart[group].get(node) for group in guest.soft)


class Space:
    """The nodes that may take instances now. `renewed`: they are, or will be, upgraded by this campaign."""

    def __init__(self, standing: Standing, *, renewed: bool) -> None:
        self._standing = standing
        self._cloud = standing.cloud
        self._renewed = renewed
        self._nodes: dict[int, None] = {}
        self._heaps: dict[Shape, list[tuple[float, int]]] = {}
        self.room = 0.0
        """What is free of the scarcest resource, over all nodes."""

    def __contains__(self, node: int) -> bool:
        return node in self._nodes

    def add(self, node: int) -> None:
        """The node takes instances from now on."""
        self._nodes[node] = None
        self.room += self._free(node)
        for shape, heap in self._heaps.items():
            if self._may_go(shape, node):
                for cell in self._cloud.cells[node]:
                    self._offer(shape, heap, cell)

    def remove(self, node: int) -> None:
        """The node takes no more."""
        del self._nodes[node]
        self.room -= self._free(node)

    def take(self, guest: Guest, node: int, cells: tuple[int, ...], sign: int = 1) -> None:
        """As `Standing.take`; what is given back is offered to every shape again."""
        before = self._free(node)
        self._standing.take(guest, node, cells, sign)
        self.room += self._free(node) - before
        if sign < 0:
            for shape, heap in self._heaps.items():
                if self._may_go(shape, node):
                    for cell in cells:
                        self._offer(shape, heap, cell)

    def takes(self, guest: Guest, node: int, cells: tuple[int, ...]) -> bool:
        """Whether the instance may go to these cells of the node."""
        return (
            node in self._nodes
            and self._may_go(guest.shape, node)
            and all(self._standing.fits(guest.shape, cell) for cell in cells)
            and self._standing.may_join(guest, node, soft=False)
        )

    def places(self, guest: Guest, most: int, *, soft: bool) -> list[tuple[int, tuple[int, ...]]]:
        """At most so many nodes that can take the instance, with the cells it would use, the tightest first."""
        shape, standing, key = guest.shape, self._standing, self._cloud.key
        heap = self._heaps.get(shape)
        if heap is None:
            heap = self._heaps[shape] = self._fresh(shape)
        found: list[tuple[int, tuple[int, ...]]] = []
        seen: list[tuple[float, int]] = []
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
            if standing.may_join(guest, node, soft=soft):
                cells = (cell,) if shape.span == 1 else self._together(shape, node)
                if cells:
                    found.append((node, cells))
        for entry in seen:
            heapq.heappush(heap, entry)
        return found

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

    def _together(self, shape: Shape, node: int) -> tuple[int, ...]:
        """So many cells of one node that each take their part; empty when there are not enough."""
        fitting = [cell for cell in self._cloud.cells[node] if self._standing.fits(shape, cell)]
        return next(combinations(fitting, shape.span), ())

    def _may_go(self, shape: Shape, node: int) -> bool:
        # A node that was upgraded before this campaign is what the inventory tells of it; others are newer then.
        kind = self._cloud.kinds[node]
        return may_go(shape, kind, renewed=self._renewed and not kind.done)

    def _free(self, node: int) -> float:
        key = self._cloud.key
        return sum(max(0.0, self._standing.free[cell][key]) for cell in self._cloud.cells[node])
