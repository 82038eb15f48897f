"""Amounts of all resources as one whole number: they are added, taken away and compared all at once.

A cloud has a hundred thousand of such sums, and a mapping for each takes ten times as long. Each resource has so many bits of
the number. What is free has a guard above each resource, which is gone where there is less than nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from escalator.model.inventory import Node

BITS = 96
"""Of one resource: an inventory's largest amount, a million times."""
GRAIN = 2.0**20
"""Parts of one unit that are told apart."""
SLACK = 2**9
"""What is free besides, in such parts: sums of what was rounded may be off by a little. The verifier looks more closely."""


class Sums:
    """Resources that the nodes offer, by place in the number; the first is for all that none of them offers."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        offers = {id(cell): cell for node in nodes for cell in node.numa}
        names = {name for cell in offers.values() for name in cell}
        self._places = {name: BITS * number for number, name in enumerate(sorted(names), start=1)}
        self._fields = range(0, BITS * (len(names) + 1), BITS)
        self.guard = sum(1 << (place + BITS - 1) for place in self._fields)
        self._slack = sum(SLACK << place for place in self._fields)
        self.known: dict[int, tuple[int, Mapping[str, float]]] = {}
        """Sums that were asked for, by the mapping's own number; it is kept, so that no other one gets that."""

    def of(self, amounts: Mapping[str, float]) -> int:
        """All the amounts. Most instances share their mapping, so it is read once."""
        found = self.known.get(id(amounts))
        if found is None:
            found = self.known[id(amounts)] = self._read(amounts, 1.0), amounts
        return found[0]

    def free(self, amounts: Mapping[str, float], fill: float) -> int:
        """What a NUMA entry with these amounts has to give as long as nothing is on it, with its guards."""
        return (self.of(amounts) if fill == 1.0 else self._read(amounts, fill)) + self._slack + self.guard

    def fits(self, free: int, wanted: int = 0) -> bool:
        """Whether so much is free."""
        return (free - wanted) & self.guard == self.guard

    def within(self, one: int, other: int) -> bool:
        """Whether none of the amounts is more than in the other sum."""
        return self.fits(other + self.guard, one)

    def total(self, free: int) -> float:
        """All that is free, whatever it is of."""
        there = free - self.guard
        return sum((there >> place) & ((1 << (BITS - 1)) - 1) for place in self._fields) / GRAIN

    def _read(self, amounts: Mapping[str, float], share: float) -> int:
        return sum(round(amount * share * GRAIN) << self._places.get(name, 0) for name, amount in amounts.items())
