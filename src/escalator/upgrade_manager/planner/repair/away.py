"""Which nodes are out of service when, in the times of the plan so far: what runs is put back by the shift."""

from __future__ import annotations

from bisect import bisect_right, insort
from operator import itemgetter

from escalator.upgrade_manager.planner.cloud import SLACK
from escalator.upgrade_manager.planner.repair.at_once import AtOnce
from escalator.upgrade_manager.planner.repair.rows import Rest, Row

Span = tuple[float, float]
_END = itemgetter(0)


class Away:
    """Turns of all nodes while they are mended."""

    def __init__(self, rest: Rest, late_s: float) -> None:
        self._rest, self._late_s = rest, late_s
        self._spans = AtOnce()
        self.out: set[str] = set()
        """Nodes whose turns have no time at present."""
        self.refresh()

    def refresh(self) -> None:
        """Turns have got other times."""
        turns = [self.span(row) for name, row in self._rest.rows.items() if name not in self.out]
        self._spans = AtOnce([start for start, _ in turns], [end for _, end in turns])

    def span(self, row: Row) -> Span:
        """When the node is out of service."""
        started = row.away_s - self._late_s if row.begun else row.away_s
        return started, row.end_s - self._late_s if row.upgrading else row.end_s

    def reach(self, most: int, start: float, end: float) -> bool:
        """Whether so many nodes are out of service at once at some moment of that time."""
        return self._spans.reach(most, start, end)

    def too_many(self, most: int) -> list[Row]:
        """Turns without which never more nodes are out of service than that; of those that have not begun the last to end."""
        if len(self._spans) <= most:
            return []
        spans = sorted((*self.span(row), name) for name, row in self._rest.rows.items() if name not in self.out)
        there: list[tuple[float, str]] = []  # by end
        found = []
        for start, end, name in spans:
            del there[: bisect_right(there, start + SLACK, key=_END)]
            insort(there, (end, name))
            if len(there) > most and not self._rest.rows[name].begun:
                number = next(n for n in reversed(range(len(there))) if not self._rest.rows[there[n][1]].begun)
                found.append(self._rest.rows[there.pop(number)[1]])
        return found

    def goes(self, start: float, end: float) -> None:
        """A node is out of service then."""
        self._spans.add(start, end)

    def drops(self, row: Row) -> None:
        """The turn has no time any more."""
        self._spans.remove(*self.span(row))
        self.out.add(row.node.id)

    def takes(self, row: Row) -> None:
        """The turn has a time again."""
        self.out.discard(row.node.id)
        self.goes(*self.span(row))
