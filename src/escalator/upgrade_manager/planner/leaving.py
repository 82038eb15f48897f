"""What leaves a node: it is the same whenever the node is looked at, and a node may be looked at a hundred times."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.upgrade_manager.planner.cloud import Cloud, Guest


class Leaving:
    """The instances that leave one node, and what of them does not change until its turn."""

    __slots__ = ("bundles", "drain_s", "guests", "lacking", "need", "ordered", "recovering", "shapes", "slowest")

    def __init__(self, guests: Sequence[Guest], ordered: Sequence[Guest], need: float, recovering: Paced) -> None:
        self.guests = guests
        self.ordered = ordered
        """In the order in which they are placed."""
        self.bundles = _bundles(ordered) if any(guest.tied for guest in ordered) else None
        """Those that have to stay together as one, in that order; null where none do."""
        self.drain_s = sum([guest.lasts_s for guest in guests])
        """Seconds of all moves."""
        self.need = need
        """What they take of the scarcest resource."""
        self.recovering = recovering
        self.shapes = frozenset([guest.shape for guest in guests])
        self.lacking: Guest | None = None
        """The one that found no room the last time."""
        self.slowest: Guest | None = None

    @property
    def longest(self) -> Guest | None:
        """The one whose move takes longest, looked for when somebody asks."""
        if self.slowest is None:
            self.slowest = max(self.guests, key=lambda guest: guest.lasts_s, default=None)
        return self.slowest


Paced = Sequence[tuple[int, float]]
"""Each group that recovers, with the duration of a member's move; a group is named once for each member."""


class Departures:
    """What leaves each node, looked at once."""

    def __init__(self, cloud: Cloud, guests: Sequence[Sequence[Guest]]) -> None:
        self._cloud, self._guests = cloud, guests
        self._known: dict[int, Leaving] = {}
        self._recovers = [limit.recovery_s > 0 for limit in cloud.limits]

    def of(self, node: int) -> Leaving:
        """What leaves the node as far as it is decided by now."""
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = self.these([guest for guest in self._guests[node] if guest.leaves])
        return known

    def changed(self, node: int) -> None:
        """Something else is on the node than before."""
        self._known.pop(node, None)

    def these(self, guests: Sequence[Guest]) -> Leaving:
        """The same for any instances that leave one node together."""
        takes = self._cloud.takes
        need = 0.0
        ranked: list[tuple[int, int, float, str, Guest]] = []
        """The largest first; no two have the same id."""
        for guest in guests:
            size = takes[guest.shape]
            need += size
            ranked.append((-len(guest.tied), -guest.shape.span, -(size + guest.lasts_s * 1e-6), guest.id, guest))
        ranked.sort()
        paced = [(group, guest.lasts_s) for guest in guests for group in guest.groups if self._recovers[group]]
        return Leaving(guests, [row[4] for row in ranked], need, paced)


def _bundles(ordered: Sequence[Guest]) -> list[list[Guest]]:
    """Instances that have to stay together, directly or by others, as one."""
    bundles: list[list[Guest]] = []
    taken: set[int] = set()
    for guest in ordered:
        if id(guest) in taken:
            continue
        bundle = [guest]
        taken.add(id(guest))
        for member in bundle:  # grows
            if member.tied:
                more = [g for g in ordered if id(g) not in taken and set(g.tied) & set(member.tied)]
                taken.update(map(id, more))
                bundle += more
        bundles.append(bundle)
    return bundles
