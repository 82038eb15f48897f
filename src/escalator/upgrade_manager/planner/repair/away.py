"""Which nodes are out of service when, in the times of the plan so far: what runs is put back by the shift."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from itertools import repeat
from operator import itemgetter, sub

from escalator.upgrade_manager.planner.cloud import SLACK
from escalator.upgrade_manager.planner.repair.rows import Rest, Row

Span = tuple[float, float]
_END = itemgetter(0)


class Away:
    """Turns of all nodes while they are mended."""

    def __init__(self, rest: Rest, late_s: float) -> None:
        self._rest, self._late_s = rest, late_s
        self._starts: list[float] = []
        self._ends: list[float] = []
        self.out: set[str] = set()
        """Nodes whose turns have no time at present."""
        self.refresh()

    def refresh(self) -> None:
        """Turns have got other times."""
        turns = [self.span(row) for name, row in self._rest.rows.items() if name not in self.out]
        self._starts, self._ends = sorted([s for s, _ in turns]), sorted([e for _, e in turns])

    def span(self, row: Row) -> Span:
        """When the node is out of service."""
        started = row.away_s - self._late_s if row.begun else row.away_s
        return started, row.end_s - self._late_s if row.upgrading else row.end_s

    def at_once(self, start: float, end: float) -> int:
        """Most nodes out of service at once in that time."""
        return most_at_once(self._starts, self._ends, start, end)

    def too_many(self, most: int) -> list[Row]:
        """Turns without which never more nodes are out of service than that; of those that have not begun the last to end."""
        if len(self._starts) <= most:
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
        insort(self._starts, start)
        insort(self._ends, end)

    def drops(self, row: Row) -> None:
        """The turn has no time any more."""
        start, end = self.span(row)
        del self._starts[bisect_left(self._starts, start)]
        del self._ends[bisect_left(self._ends, end)]
        self.out.add(row.node.id)

    def takes(self, row: Row) -> None:
        """The turn has a time again."""
        self.out.discard(row.node.id)
        self.goes(*self.span(row))


def most_at_once(starts: list[float], ends: list[float], start: float, end: float) -> int:
    """Most spans at once from `start` to `end`, given sorted; at equal times ends come first."""
    first, last = bisect_right(starts, start + SLACK), bisect_left(starts, end - SLACK)
    gone = bisect_right(ends, start + SLACK)
    if first >= last:
        return first - gone
    begin = [at + SLACK for at in starts[first:last]]
    # What ends by the last of them is all that has to be looked through.
    over = map(bisect_right, repeat(ends), begin, repeat(gone), repeat(bisect_right(ends, begin[-1])))
    most: int = max(map(sub, range(first + 1, last + 1), over))
    return max(first - gone, most)
