"""When an impact may begin, asked instant by instant: each group's limit and recovery, as the engine's door asks them too."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from escalator.upgrade_manager.planner.cloud import SLACK, Limit


@dataclass(slots=True)
class Door:
    """One group: impacts under way by their end, the last end, and places kept for nodes that are being emptied."""

    limit: Limit
    last_s: float = -inf
    most: int = field(init=False)
    recovery_s: float = field(init=False)
    lead_s: float = field(init=False)
    ends: list[float] = field(default_factory=list)
    kept: dict[int, int] = field(default_factory=dict)
    """Members that stay on a node which is being emptied, by node: nobody else may take their place meanwhile."""
    keeping: int = 0
    """All of these."""
    owed: int = 0
    """Members that leave nodes whose turn has begun, and that still wait for their move."""
    waiting: dict[int, None] = field(default_factory=dict)
    """Nodes that ask again when an impact has ended."""

    def __post_init__(self) -> None:
        # Asked for at every instant: one step nearer than in `limit`.
        self.most, self.recovery_s, self.lead_s = self.limit.most, self.limit.recovery_s, self.limit.lead_s

    @property
    def keeps(self) -> bool:
        """Whether places are kept, or there is none at all: only then it may open at no time that is known."""
        return self.keeping > 0 or self.most < 1

    def opens(self, now: float, node: int, count: int = 1) -> float:
        """When `count` members of that node may be impacted: `now`, a later time, or infinity while places are kept for others.

        Any two impacts of a group overlap or are at least its recovery apart, so nothing begins within it.
        """
        ends, soon = self.ends, now + SLACK
        while ends and ends[0] <= soon:
            self.last_s = heapq.heappop(ends)
        at = self.last_s + self.recovery_s
        at = max(at, self.lead_s)
        over = len(ends) + count - self.most
        if self.keeping:
            over += self.keeping - self.kept.get(node, 0)
        if over <= 0:
            return at if at > soon else now
        if over > len(ends):
            return inf
        freed = ends[0] if over == 1 else heapq.nsmallest(over, ends)[-1]
        return max(now, at, freed + self.recovery_s)

    def reaches(self, now: float, node: int, lasts_s: float) -> float:
        """About when one more member of that node may be impacted, after all that are owed; each impact so long as its own."""
        rounds = self.owed // max(1, self.most) if self.owed else 0
        return self.opens(now, node) + rounds * (lasts_s + self.recovery_s)

    def keep(self, node: int, number: int) -> None:
        """So many members stay on that node, which is being emptied; with 0 it is none of those any more."""
        self.keeping += number - self.kept.pop(node, 0)
        if number:
            self.kept[node] = number

    def enter(self, end: float, count: int = 1) -> None:
        """So many members are impacted until then."""
        for _ in range(count):
            heapq.heappush(self.ends, end)


def latest(doors: list[Door], counts: Mapping[int, int], now: float, node: int) -> float:
    """When all the groups let their members of the node be impacted together, as far as it is known now."""
    return max((doors[group].opens(now, node, count) for group, count in counts.items()), default=now)
