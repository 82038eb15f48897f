"""Which node is looked at first when there is room for another turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

from escalator.upgrade_manager.planner.cloud import Cloud, Guest
from escalator.upgrade_manager.planner.doors import Door
from escalator.upgrade_manager.planner.timed import Timed
from escalator.upgrade_manager.planner.turns import Policy, Rules

LIVELY = 1500
"""Up to so many nodes the order is looked at anew whenever something ends; beyond, it is fixed at the start."""
DISORDER = 0.5
"""How far a shuffled queue may see a node's numbers wrong, up and down together."""
PRESSING = 0.75
"""A group whose impacts still take this share of the work that is left goes first."""


class Queue:
    """Nodes that wait for their turn, in the order of the policy.

    `size`: the emptiest first, which lets what is upgraded grow fastest. `chain`: those first whose groups still need
    longest, one member after the other. `mixed`: only where a group's chain is about as long as all the work left. `timed`:
    only where it is about as long as room lets the whole plan last. In each,
    nodes with what manages VNFs come after all others: it is there to answer as long as others are asked about.
    """

    def __init__(self, cloud: Cloud, rules: Rules, policy: Policy, guests: Sequence[Sequence[Guest]]) -> None:
        self._cloud, self._rules, self._guests = cloud, rules, guests
        self._timed: Timed | None = None
        self._is_timed = policy.order == "timed"
        self._lively = policy.order != "size" and len(cloud.nodes) <= LIVELY
        self._by_chain = policy.order == "chain"
        nodes = range(len(cloud.nodes))
        self._paces = [(limit.recovery_s, max(1, limit.most)) for limit in cloud.limits]
        self._impacts = [self._impacts_of(node) if cloud.ready[node] else {} for node in nodes]
        self._pressure = [0.0] * len(cloud.limits)
        for impacts in self._impacts:
            for group, lasts_s in impacts.items():
                self._pressure[group] += lasts_s
        self._sizes = [self._size_of(node) for node in nodes]
        self._managing = cloud.managing
        self._work = sum(cloud.upgrade_s[node] for node in nodes if cloud.ready[node])
        self._fixed: list[int] | None = None
        self._given = policy.fixed
        rng = Random(policy.shuffle)  # noqa: S311 - an order to try, no secret
        self._swing = [1.0 + (DISORDER * (rng.random() - 0.5) if policy.shuffle else 0.0) for _ in nodes]

    def order(self, waiting: Mapping[int, object], now: float, doors: Sequence[Door]) -> Iterable[int]:
        """The nodes that wait, first to last; some that do not any more may be among them."""
        if self._given:
            return self._given
        if self._is_timed:
            if self._timed is None:
                ordered = sorted(waiting, key=self._by_size)
                self._timed = Timed(self._cloud, self._rules, self._guests, ordered, self._managing)
            return self._timed.order(waiting, self.size, now, doors)
        if not self._lively:
            if self._fixed is None or len(self._fixed) > 2 * len(waiting) + 16:
                self._fixed = sorted(waiting, key=self._by_size)
            return self._fixed
        chains = {node: self._chain(node) * self._swing[node] for node in waiting}
        if self._by_chain:
            return sorted(waiting, key=lambda node: (self._managing[node], -chains[node], self._sizes[node], node))
        pressing = PRESSING * max([self._work / max(1, self._rules.width), *chains.values()])
        return sorted(
            waiting,
            key=lambda node: (
                self._managing[node],
                chains[node] < pressing,
                self._sizes[node] * self._swing[node],
                -chains[node],
                node,
            ),
        )

    def size(self, node: int) -> float:
        """Share of the node's room that its instances would take elsewhere."""
        return self._sizes[node]

    def begun(self, node: int) -> None:
        """The node's turn has begun: its groups need that much less."""
        if self._timed is not None:
            self._timed.begun(node)
            return
        for group, lasts_s in self._impacts[node].items():
            self._pressure[group] -= lasts_s
        self._work -= self._cloud.upgrade_s[node]

    def changed(self, node: int) -> None:
        """The node takes something until its turn."""
        self._sizes[node] = self._size_of(node)
        if self._timed is not None:
            self._timed.changed()

    def _by_size(self, node: int) -> tuple[bool, float, float, int]:
        return (self._managing[node], self._sizes[node] * self._swing[node], -self._chain(node) * self._swing[node], node)

    def _chain(self, node: int) -> float:
        """Seconds that the node's most pressed group still needs."""
        return max((self._pressure[group] for group in self._impacts[node]), default=0.0)

    def _impacts_of(self, node: int) -> dict[int, float]:
        """Seconds that the node's turn takes of each of its groups."""
        found: dict[int, float] = {}
        for guest in self._guests[node]:
            if guest.groups:
                lasts_s = guest.lasts_s if guest.leaves else self._cloud.upgrade_s[node] * (guest.kind != "offline")
                for group in guest.groups:
                    recovery_s, most = self._paces[group]
                    found[group] = found.get(group, 0.0) + (lasts_s + recovery_s) / most
        return found

    def _size_of(self, node: int) -> float:
        key, takes = self._cloud.key, self._cloud.takes
        leaving = staying = 0.0
        for guest in self._guests[node]:
            if guest.leaves:
                leaving += takes[guest.shape]
            else:
                staying += takes[guest.shape]
        room = sum(self._cloud.capacity[cell][key] for cell in self._cloud.cells[node]) - staying
        return leaving / room if room > 0 else float(leaving > 0)
