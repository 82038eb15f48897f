"""What is to be looked at, and when: a heap in memory that sleeps until its next entry is due.

Storage is the truth; the agenda only saves asking it again and again. An entry stands there once: putting it again
moves it. Nothing is polled, so a virtual clock can jump from entry to entry.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from itertools import count
from typing import Literal, NamedTuple

from escalator.model.clock import Clock

_ROUNDING_S = 0.001
"""A sleep may end this much early: the sum of a large time and a small one is rounded."""


class Entry(NamedTuple):
    """What to look at: a notice or an orchestrator's line of them, a deadline, a task to wake, replies, or all of storage."""

    kind: Literal["deliver", "in-order", "deadline", "wake", "fetch", "sweep"]
    key: str
    vnfm: str = ""


class Agenda:
    """Entries by the time at which they are due, Unix seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Entry]] = []
        self._when: dict[Entry, float] = {}
        self._sequence = count()
        self._changed = asyncio.Event()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0

    def put(self, when: float, entry: Entry) -> None:
        """Put the entry at that time, or move it there."""
        if self._when.get(entry) == when:
            return
        self._when[entry] = when
        heapq.heappush(self._heap, (when, next(self._sequence), entry))
        if self._heap[0][2] is entry:
            self._changed.set()

    def drop(self, entry: Entry) -> None:
        """Forget the entry."""
        self._when.pop(entry, None)

    async def due(self) -> Sequence[tuple[float, Entry]]:
        """Wait until something is due and take it off; each with the time to go by, which is never before its own."""
        while True:
            found = self._take()
            if found:
                return found
            self._changed.clear()
            self._set_alarm()
            await self._changed.wait()

    def close(self) -> None:
        """Stop the alarm."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _take(self) -> list[tuple[float, Entry]]:
        now = self._clock.now()
        found = []
        while self._heap and (self._stale() or self._heap[0][0] <= now + _ROUNDING_S):
            when, _, entry = heapq.heappop(self._heap)
            if self._when.get(entry) == when:
                del self._when[entry]
                found.append((max(when, now), entry))
        return found

    def _stale(self) -> bool:
        when, _, entry = self._heap[0]
        return self._when.get(entry) != when

    def _set_alarm(self) -> None:
        if not self._heap:
            self.close()
            return
        when = self._heap[0][0]
        if self._alarm is not None and not self._alarm.done():
            if self._alarm_at <= when:
                return
            self._alarm.cancel()
        self._alarm_at = when
        self._alarm = asyncio.create_task(self._ring(when - self._clock.now()))

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._changed.set()
