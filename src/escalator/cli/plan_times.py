"""When something of a plan happens, in words: by the clock where its windows are dated, else in working time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from escalator.cli.spans import offset

TINY_S = 0.001
"""Two times that lie no further apart are one."""


class Times:
    """The times of one plan. Clock times have the offset from UTC that holds as their window opens."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        rows = [row for row in plan.get("windows", ()) if row.get("starts_s") is not None]
        self._starts = [row["starts_s"] for row in rows]
        self._opens = [datetime.fromisoformat(row["opens"]) for row in rows]
        self._numbers = [row.get("window", number) for number, row in enumerate(rows)]
        windows = any(upgrade["window"] for upgrade in plan["upgrades"])
        self.said = "" if rows else ", in working time from the start" if windows else ", in time from the start"
        """What the times of a table are, for its title; nothing where they speak for themselves."""

    @property
    def dated(self) -> bool:
        """Whether the plan's times have a date."""
        return bool(self._starts)

    def number(self, start_s: float) -> int | None:
        """The number of the window in which something begins; None where a plan has no clock."""
        found = self._window(start_s)
        return None if found < 0 else self._numbers[found]

    def told(self, at_s: float | None, of_s: float | None) -> str | float | None:
        """A time for programs: RFC 3339, by the window in which it is `of_s`; working time as it is where a plan has no clock."""
        number = -1 if at_s is None or of_s is None else self._window(of_s)
        return at_s if at_s is None or number < 0 else self._moment(number, at_s).isoformat(timespec="seconds")

    def interval(self, start_s: float, end_s: float) -> str:
        """`Tue 12-01 01:02:16 - 01:22:16`; in working time `2:02:16 - 2:22:16`."""
        number = self._window(start_s)
        if number < 0:
            return f"{offset(start_s)} - {offset(end_s)}"
        begins, ends = (self._moment(number, at) for at in (start_s, end_s))
        day = "" if begins.date() == ends.date() else "%a %m-%d "
        return f"{begins:%a %m-%d %H:%M:%S} - {ends:{day}%H:%M:%S}"

    def day(self, start_s: float) -> str:
        """`Tue 12-01`; nothing where a plan has no clock."""
        number = self._window(start_s)
        return "" if number < 0 else f"{self._moment(number, start_s):%a %m-%d}"

    def clock(self, start_s: float, end_s: float) -> str:
        """As `interval`, where the day it begins on is told elsewhere: `01:02:16 - 01:22:16`."""
        return self.interval(start_s, end_s).removeprefix(self.day(start_s)).lstrip()

    def at(self, at_s: float, *, ends: bool = False) -> str:
        """`01:02`, or in working time `2:02:16`; `ends`: what ends then counts to the window before."""
        number = self._window(at_s - 2 * TINY_S if ends else at_s)
        return offset(at_s) if number < 0 else f"{self._moment(number, at_s):%H:%M}"

    def ticks(self, step_s: float, end_s: float) -> Iterator[tuple[float, str]]:
        """Times and their words at whole multiples of a step: of the clock, window by window, or of working time."""
        if not self._starts:
            yield from ((number * step_s, offset(number * step_s)) for number in range(int(end_s / step_s) + 1))
            return
        for opens, start, until in zip(self._opens, self._starts, [*self._starts[1:], end_s + TINY_S], strict=True):
            midnight = opens.replace(hour=0, minute=0, second=0, microsecond=0)
            at = start + -(opens - midnight).total_seconds() % step_s
            while at < min(until, end_s + TINY_S):
                yield at, self.at(at)
                at += step_s

    def _window(self, start_s: float) -> int:
        return bisect_right(self._starts, start_s + TINY_S) - 1

    def _moment(self, number: int, at_s: float) -> datetime:
        return self._opens[number] + timedelta(seconds=round(at_s - self._starts[number]))
