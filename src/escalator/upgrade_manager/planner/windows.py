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
        self._closes = [opens + length for opens, length in zip(self._opens, lengths, strict=True)]

    def after(self, at: float, wait_s: float, began: float = -inf) -> float:
        """When `wait_s` have passed by the clock on the wall since that time, which ends something; infinite behind the last.

        `began`: when that did, if it may be as a window opens and of no time at all.
        """
        if self.open:
            return at + wait_s
        # What ends as its window closes ended then, not as the next one opens.
        number = max(0, bisect_left(self.starts, at - SLACK) - 1, bisect_right(self.starts, began + SLACK) - 1)
        number = min(number, len(self._opens) - 1)
        until = self._opens[number] + at - self.starts[number] + wait_s
        number = bisect_right(self._closes, until + SLACK)
        if number == len(self._closes):
            return inf
        return max(at, self.starts[number] + max(0.0, until - self._opens[number]))

    def recovers(self, end: float, recovery_s: float, began: float = -inf) -> float:
        """When a group has recovered from an impact that ends then. It does so by the clock, between windows too."""
        worked = end + recovery_s
        return worked if self.open else min(worked, self.after(end, recovery_s, began))

    def rest(self, at: float) -> Windows:
        """What is left of them at that time, with working time counted from then on."""
        number = min(self.index(at), len(self._opens) - 1)
        left = range(number, len(self._opens))
        gone = [at - self.starts[n] if n == number else 0.0 for n in left]
        opens = [self._opens[n] + begun for n, begun in zip(left, gone, strict=True)]
        return Windows([self._closes[n] - begins for n, begins in zip(left, opens, strict=True)], opens)

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
