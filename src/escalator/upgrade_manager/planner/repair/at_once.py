"""How many spans of time overlap: asked a few hundred times about a hundred thousand moves, of which few change in between."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import sub

from escalator.upgrade_manager.planner.cloud import SLACK


class AtOnce:
    """Spans by start and by end, and for each start how many are under way then. At equal times ends come first."""

    def __init__(self, starts: Iterable[float] = (), ends: Iterable[float] = ()) -> None:
        self.starts, self._ends = sorted(starts), sorted(ends)
        ended = map(bisect_right, repeat(self._ends), [at + SLACK for at in self.starts])
        self._level = [*map(sub, range(1, len(self.starts) + 1), ended)]

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, start: float, end: float) -> None:
        """One more."""
        number = bisect_right(self.starts, start)
        self.starts.insert(number, start)
        self._level.insert(number, number + 1 - bisect_right(self._ends, start + SLACK))
        insort(self._ends, end)
        self._change(number + 1, end, 1)

    def remove(self, start: float, end: float) -> None:
        """One of those that are there is gone."""
        number = bisect_left(self.starts, start)
        del self.starts[number], self._level[number], self._ends[bisect_left(self._ends, end)]
        self._change(number, end, -1)

    def reach(self, most: int, start: float, end: float) -> bool:
        """Whether `most` of them are under way at some moment from `start` to `end`."""
        first, last = bisect_right(self.starts, start + SLACK), bisect_left(self.starts, end - SLACK)
        if first - bisect_right(self._ends, start + SLACK) >= most:
            return True
        within: Sequence[int] = self._level[first:last]
        return bool(within) and max(within) >= most

    def _change(self, first: int, end: float, by: int) -> None:
        level = self._level
        for number in range(first, bisect_left(self.starts, end - SLACK)):
            level[number] += by
