"""Maintenance windows in working time: they lie end to end."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import inf

from escalator.upgrade_manager.planner.cloud import SLACK


class Windows:
    """Maintenance windows laid end to end: window `n` lasts from `starts[n]` to `starts[n + 1]`. Without any, time is open."""

    def __init__(self, lengths: Sequence[float] = (), opens: Sequence[float] = ()) -> None:
        self.starts = [0.0]
        for length in lengths:
            self.starts.append(self.starts[-1] + length)
        self.open = not lengths
        self._opens = opens or self.starts[:-1]

    def after(self, at: float, wait_s: float) -> float:
        """When `wait_s` have passed by the clock on the wall since that time, which ends something; infinite behind the last."""
        if self.open:
            return at + wait_s
        # What ends as its window closes ended then, not as the next one opens.
        number = min(max(0, bisect_left(self.starts, at - SLACK) - 1), len(self._opens) - 1)
        until = self._opens[number] + at - self.starts[number] + wait_s
        for number, opens in enumerate(self._opens):
            start = self.starts[number] + max(0.0, until - opens)
            if start < self.starts[number + 1] - SLACK:
                return max(at, start)
        return inf

    def index(self, at: float) -> int:
        """Number of the window at that time."""
        return 0 if self.open else max(0, bisect_right(self.starts, at + SLACK) - 1)

    def end(self, at: float) -> float:
        """End of the window at that time; infinite without windows, the time itself behind the last."""
        if self.open:
            return inf
        number = self.index(at)
        return self.starts[number + 1] if number + 1 < len(self.starts) else at

    def next(self, at: float) -> float:
        """Start of the next window; infinite when there is none."""
        if self.open:
            return inf
        number = self.index(at) + 1
        return self.starts[number] if number + 1 < len(self.starts) else inf

    @property
    def longest_s(self) -> float:
        """Length of the longest window."""
        return inf if self.open else max(b - a for a, b in zip(self.starts, self.starts[1:], strict=False))
