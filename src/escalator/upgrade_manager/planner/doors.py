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
    ends: list[float] = field(default_factory=list)
    last_s: float = -inf
    kept: dict[int, int] = field(default_factory=dict)
    """Members that stay on a node which is being emptied, by node: nobody else may take their place meanwhile."""
    owed: int = 0
    """Members that leave nodes whose turn has begun, and that still wait for their move."""
    waiting: dict[int, None] = field(default_factory=dict)
    """Nodes that ask again when an impact has ended."""

    @property
    def keeps(self) -> bool:
        """Whether places are kept, or there is none at all: only then it may open at no time that is known."""
        return bool(self.kept) or self.limit.most < 1

    def opens(self, now: float, node: int, count: int = 1) -> float:
        """When `count` members of that node may be impacted: `now`, a later time, or infinity while places are kept for others.

        Any two impacts of a group overlap or are at least its recovery apart, so nothing begins within it.
        """
        while self.ends and self.ends[0] <= now + SLACK:
            self.last_s = heapq.heappop(self.ends)
        at = max(now, self.limit.lead_s, self.last_s + self.limit.recovery_s)
        kept = sum(self.kept.values()) - self.kept.get(node, 0) if self.kept else 0
        if len(self.ends) + kept + count <= self.limit.most:
            return at if at > now + SLACK else now
        over = len(self.ends) + kept + count - self.limit.most
        if over > len(self.ends):
            return inf
        freed = self.ends[0] if over == 1 else heapq.nsmallest(over, self.ends)[-1]
        return max(at, freed + self.limit.recovery_s)

    def reaches(self, now: float, node: int, lasts_s: float) -> float:
        """About when one more member of that node may be impacted, after all that are owed; each impact so long as its own."""
        rounds = self.owed // max(1, self.limit.most)
        return self.opens(now, node) + rounds * (lasts_s + self.limit.recovery_s)

    def enter(self, end: float, count: int = 1) -> None:
        """So many members are impacted until then."""
        for _ in range(count):
            heapq.heappush(self.ends, end)


def latest(doors: list[Door], counts: Mapping[int, int], now: float, node: int) -> float:
    """When all the groups let their members of the node be impacted together, as far as it is known now."""
    return max((doors[group].opens(now, node, count) for group, count in counts.items()), default=now)
