"""Who is where during one run of a search, and what is free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from escalator.model.entries import criteria
from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Guest, Shape


class Arrivals:
    """Instances on their way to each node: what one more has to wait for. It only ever tells what fell, in order."""

    def __init__(self, nodes: int) -> None:
        self.each = [0] * nodes
        """How many, by node."""
        self.fewer: list[int] = []
        """Nodes whose number fell, in the order of time."""

    def __getitem__(self, node: int) -> int:
        return self.each[node]

    def expect_all(self, nodes: Iterable[int]) -> None:
        """One more is on its way to each of these."""
        each = self.each
        for node in nodes:
            each[node] += 1

    def expect(self, node: int, more: int) -> None:
        """So many more are on their way to the node; less than zero when they have arrived."""
        self.each[node] += more
        if more < 0:
            self.fewer.append(node)


class Standing:
    """Who is where during one run of a search: what is free in each cell, and which groups are on which node."""

    def __init__(self, cloud: Cloud, max_fill: float, *, foresees: bool = False) -> None:
        self.cloud = cloud
        self.foresees = foresees
        """Whether an instance gets the cells that the cloud will choose for it; else any that hold it."""
        self._by: dict[Shape, Sequence[tuple[float, tuple[int, ...]]]] = {}
        """By what the cloud chooses, for each shape that was asked for."""
        self.max_fill = max_fill
        self.free = [
            [amount * max_fill - taken for amount, taken in zip(capacity, used, strict=True)]
            for capacity, used in zip(cloud.capacity, cloud.used, strict=True)
        ]
        self._spare = [(limit.per_node or 1) - 1 for limit in cloud.limits]
        self._apart: list[dict[int, int]] = [{} for _ in cloud.limits]
        """Per group that bounds it: members on each node beyond those beside whom one more may be, moving ones at both ends."""
        self._soft: list[dict[int, int]] = [{} for _ in cloud.limits]
        """Per group of soft anti-affinity: members on each node, counted likewise."""
        self.count = [len(guests) for guests in cloud.guests]
        """Instances on each node, arriving ones included."""
        self.arriving = Arrivals(len(cloud.nodes))
        for node, guests in enumerate(cloud.guests):
            for guest in guests:
                for group in guest.apart:
                    there = self._apart[group]
                    there[node] = there.get(node, -self._spare[group]) + 1
                for group in guest.soft:
                    there = self._soft[group]
                    there[node] = there.get(node, 0) + 1

    def take(self, guest: Guest, node: int, cells: tuple[int, ...], sign: int = 1) -> None:
        """The instance occupies the cells from now on; with `sign` -1 it has left them."""
        demand = guest.shape.demand
        for cell in cells:
            free = self.free[cell]
            for resource, amount in demand:
                free[resource] -= sign * amount
        self.count[node] += sign
        for group in guest.apart:
            there = self._apart[group]
            there[node] = there.get(node, -self._spare[group]) + sign
        for group in guest.soft:
            there = self._soft[group]
            there[node] = there.get(node, 0) + sign

    def leave(self, node: int, placed: Iterable[tuple[Guest, tuple[int, ...]]]) -> None:
        """These have left the node and their cells there: `take` for all of them at once."""
        rows, apart, softly = self.free, self._apart, self._soft
        for guest, cells in placed:
            demand = guest.shape.demand
            for cell in cells:
                free = rows[cell]
                for resource, amount in demand:
                    free[resource] += amount
            for group in guest.apart:
                apart[group][node] -= 1
            for group in guest.soft:
                softly[group][node] -= 1
            self.count[node] -= 1

    def fits(self, shape: Shape, cell: int) -> bool:
        """Whether the cell has what one cell of the shape needs."""
        free = self.free[cell]
        for resource, amount in shape.demand:  # noqa: SIM110 - a generator costs three times as much, and this is the hot spot
            if free[resource] + SLACK < amount:
                return False
        return True

    def together(self, shape: Shape, node: int) -> tuple[int, ...]:
        """So many cells of one node that each take their part; empty when there are not enough."""
        fitting = [cell for cell in self.cloud.cells[node] if self.fits(shape, cell)]
        if self.foresees and len(fitting) > shape.span:
            fitting.sort(key=lambda cell: self._rank(shape, cell))
            fitting = sorted(fitting[: shape.span])
        return next(combinations(fitting, shape.span), ())

    def given(self, shape: Shape, cell: int) -> tuple[int, ...]:
        """The cells that an instance gets, of which this one holds a part; empty when it does not get this one."""
        if shape.span == 1 and not self.foresees:
            return (cell,)
        found = self.together(shape, self.cloud.host[cell])
        return found if not self.foresees or cell in found else ()

    def _rank(self, shape: Shape, cell: int) -> list[float]:
        by = self._by.get(shape)
        if by is None:
            names = self.cloud.resources
            number = {name: index for index, name in enumerate(names)}
            asked = [names[resource] for resource, _ in shape.demand]
            by = [(sign, tuple(number[one] for one in of if one in number)) for sign, of in criteria(asked, names)]
            self._by[shape] = by
        free = self.free[cell]
        return [sign * sum([free[resource] for resource in resources]) for sign, resources in by]

    def may_join(self, guest: Guest, node: int, *, soft: bool) -> bool:
        """Whether its groups allow one more on the node; `soft`: and none of those of soft anti-affinity has a member there."""
        return not is_barred(self.barred(guest, soft=soft), node)

    def barred(self, guest: Guest, *, soft: bool) -> Sequence[dict[int, int]]:
        """Members on each node by which it is kept from there, where they are more than 0; `soft`: of the soft groups too."""
        if not (guest.apart or (soft and guest.soft)):
            return ()
        found = [self._apart[group] for group in guest.apart]
        if soft:
            found += [self._soft[group] for group in guest.soft]
        return found


def is_barred(barred: Sequence[Mapping[int, int]], node: int) -> bool:
    """Whether one of the groups allows no more on the node."""
    for there in barred:  # noqa: SIM110 - a generator costs three times as much, and this is the hot spot
        if there.get(node, 0) > 0:
            return True
    return False
