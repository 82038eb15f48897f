"""The time-out of a step. It stands still while all that the step does waits at a door: that is others' time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Deadline:
    """One step's time-out in seconds of the running event loop. Without `over` it is inert."""

    def __init__(self) -> None:
        self._limit: asyncio.Timeout | None = None
        self._busy = self._waiting = 0
        self._left: float | None = None
        """Seconds that were left when it began to stand still; None while it runs."""

    def over(self, limit: asyncio.Timeout) -> None:
        """Count by this time-out from now on."""
        self._limit, self._left = limit, None

    @contextmanager
    def busy(self) -> Iterator[None]:
        """One of several things that the step does at once; it stands still when all of them wait."""
        self._busy += 1
        self._look()
        try:
            yield
        finally:
            self._busy -= 1
            self._look()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """This one waits at a door."""
        self._waiting += 1
        self._look()
        try:
            yield
        finally:
            self._waiting -= 1
            self._look()

    def _look(self) -> None:
        if self._limit is None:
            return
        when = self._limit.when()
        now = asyncio.get_running_loop().time()
        still = 0 < self._waiting >= self._busy
        if self._limit.expired():
            return
        if still and self._left is None and when is not None:
            self._left = when - now
            self._limit.reschedule(None)
        elif not still and self._left is not None:
            self._limit.reschedule(now + self._left)
            self._left = None
