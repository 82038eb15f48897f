"""When an impact may begin, asked instant by instant: each group's limit and recovery, as the engine's door asks them too."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from escalator.upgrade_manager.planner.cloud import SLACK, Limit
from escalator.upgrade_manager.planner.windows import Windows


@dataclass(slots=True)
class Door:
    """One group: impacts under way by their end, when it has recovered, and places kept for nodes that are being emptied.

    `ended_s` is when its last impact ended before. Without `windows` time is open.
    """

    limit: Limit
    ended_s: float = -inf
    windows: Windows | None = None
    recovered_s: float = field(init=False)
    """When it has recovered from all that has ended."""
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
        self.recovered_s = self.recovers(self.ended_s) if self.ended_s > -inf else -inf

    @property
    def keeps(self) -> bool:
        """Whether places are kept, or there is none at all: only then it may open at no time that is known."""
        return self.keeping > 0 or self.most < 1

    def opens(self, now: float, node: int, count: int = 1) -> float:
        """When `count` members of that node may be impacted: `now`, a later time, or infinity while places are kept for others.

        Any two impacts of a group overlap or are at least its recovery apart, so nothing begins within it.
        """
        ends, soon = self.ends, now + SLACK
        if ends and ends[0] <= soon:
            last_s = heapq.heappop(ends)
            while ends and ends[0] <= soon:
                last_s = heapq.heappop(ends)
            self.recovered_s = max(self.recovered_s, self.recovers(last_s))
        at = max(self.recovered_s, self.lead_s)
        over = len(ends) + count - self.most
        if self.keeping:
            over += self.keeping - self.kept.get(node, 0)
        if over <= 0:
            return at if at > soon else now
        if over > len(ends):
            return inf
        freed = ends[0] if over == 1 else heapq.nsmallest(over, ends)[-1]
        return max(now, at, self.recovers(freed))

    def recovers(self, end: float) -> float:
        """When the group has recovered from an impact that ends then. It does so by the clock, between windows too."""
        return end + self.recovery_s if self.windows is None else self.windows.recovers(end, self.recovery_s)

    def reaches(self, now: float, node: int, lasts_s: float) -> float:
        """About when one more member of that node may be impacted, after all that are owed; each impact so long as its own."""
        rounds = self.owed // max(1, self.most) if self.owed else 0
        at = self.opens(now, node)
        if self.windows is None:
            return at + rounds * (lasts_s + self.recovery_s)
        for _ in range(rounds):
            at = self.recovers(at + lasts_s)
        return at

    def keep(self, node: int, number: int) -> None:
        """So many members stay on that node, which is being emptied; with 0 it is none of those any more."""
        self.keeping += number - self.kept.pop(node, 0)
        if number:
            self.kept[node] = number

    def enter(self, start: float, end: float, count: int = 1) -> None:
        """So many members are impacted from then until then."""
        if end <= start and self.windows is not None:
            # Of no time at all: as a window opens it ends in that one, and not in the one before.
            self.recovered_s = max(self.recovered_s, self.windows.recovers(end, self.recovery_s, began=start))
        for _ in range(count):
            heapq.heappush(self.ends, end)


def latest(doors: list[Door], counts: Mapping[int, int], now: float, node: int) -> float:
    """When all the groups let their members of the node be impacted together, as far as it is known now."""
    return max((doors[group].opens(now, node, count) for group, count in counts.items()), default=now)
