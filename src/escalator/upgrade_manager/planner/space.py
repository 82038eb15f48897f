"""The nodes that may take instances during a search, and in which order they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from escalator.upgrade_manager.planner.angles import Angles
from escalator.upgrade_manager.planner.cloud import Cloud, Guest, Shape, may_go
from escalator.upgrade_manager.planner.spread import Shut
from escalator.upgrade_manager.planner.standing import Standing
from escalator.upgrade_manager.planner.tightest import Tightest


class Order(Protocol):
    """In which order cells are looked at for an instance of a shape."""

    def changed(self, cells: tuple[int, ...], *, freed: bool) -> None:
        """There is less room in the cells; or `freed`: there is more, or their node takes instances from now on."""

    def places(self, guest: Guest, most: int, *, soft: bool, shut: Sequence[Shut] = ()) -> list[tuple[int, tuple[int, ...]]]:
        """At most so many nodes that can take the instance and are in no place that is `shut`, the best first."""

    passed: bool
    """Whether the last call of `places` or `best` passed over a place that is shut."""

    def best(self, guest: Guest, *, soft: bool, shut: Sequence[Shut]) -> tuple[int, tuple[int, ...]] | None:
        """The node that takes the instance best and the cells there."""


class Space:
    """The nodes that may take instances now. `renewed`: they are, or will be, upgraded by this campaign.

    `angle`: cells are chosen by the proportions of what is free in them, else by how little is. `queue_weight`: what each
    instance that is on its way to a node counts beside that.
    """

    def __init__(self, standing: Standing, *, renewed: bool, angle: bool, queue_weight: float = 0.0) -> None:
        self._standing = standing
        self._cloud: Cloud = standing.cloud
        self._renewed = renewed
        self._nodes: dict[int, None] = {}
        self.order: Order = (Angles if angle else Tightest)(standing, self._nodes, self.may_go, queue_weight)
        self.room = 0.0
        """What is free of the scarcest resource, over all nodes."""

    def __contains__(self, node: int) -> bool:
        return node in self._nodes

    def add(self, node: int) -> None:
        """The node takes instances from now on."""
        self._nodes[node] = None
        self.room += self._free(node)
        self.order.changed(self._cloud.cells[node], freed=True)

    def remove(self, node: int) -> None:
        """The node takes no more."""
        del self._nodes[node]
        self.room -= self._free(node)
        self.order.changed(self._cloud.cells[node], freed=False)

    def take(self, guest: Guest, node: int, cells: tuple[int, ...], sign: int = 1) -> None:
        """As `Standing.take`; with `sign` -1 the room is given back."""
        key, free = self._cloud.key, self._standing.free
        if len(cells) == 1:
            row = free[cells[0]]
            before = row[key]
            self._standing.take(guest, node, cells, sign)
            self.room += max(0.0, row[key]) - max(0.0, before)
        else:
            room = self.room - sum([max(0.0, free[cell][key]) for cell in cells])
            self._standing.take(guest, node, cells, sign)
            self.room = room + sum([max(0.0, free[cell][key]) for cell in cells])
        self.order.changed(cells, freed=sign < 0)

    def takes(self, guest: Guest, node: int, cells: tuple[int, ...]) -> bool:
        """Whether the instance may go to these cells of the node."""
        return (
            node in self._nodes
            and self.may_go(guest.shape, node)
            and all(self._standing.fits(guest.shape, cell) for cell in cells)
            and self._standing.may_join(guest, node, soft=False)
        )

    def places(self, guest: Guest, most: int, *, soft: bool, shut: Sequence[Shut] = ()) -> list[tuple[int, tuple[int, ...]]]:
        """At most so many nodes that can take the instance, with the cells it would use, the best first.

        None of them is in a place that is `shut`.
        """
        return self.order.places(guest, most, soft=soft, shut=shut)

    @property
    def passed(self) -> bool:
        """Whether the last call of `places` or `best` passed over a place only because it is shut."""
        return self.order.passed

    def best(self, guest: Guest, *, soft: bool, shut: Sequence[Shut] = ()) -> tuple[int, tuple[int, ...]] | None:
        """The node that takes the instance best, with the cells it would use; it is in no place that is `shut`."""
        return self.order.best(guest, soft=soft, shut=shut)

    def may_go(self, shape: Shape, node: int) -> bool:
        """Whether the node is one that instances of that shape may be on at all."""
        # A node that was upgraded before this campaign is what the inventory tells of it; others are newer then.
        kind = self._cloud.kinds[node]
        return may_go(shape, kind, renewed=self._renewed and not kind.done)

    def _free(self, node: int) -> float:
        key = self._cloud.key
        return sum(max(0.0, self._standing.free[cell][key]) for cell in self._cloud.cells[node])
