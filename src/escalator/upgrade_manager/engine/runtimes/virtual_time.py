"""An event loop whose time is virtual: whenever nothing is ready, time jumps to the next timer.

Hours of an upgrade run in milliseconds, in the same code that runs in real time. No threads may be waited for in it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from math import ulp
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH_S = 1_767_225_600.0
"""Virtual time begins on 2026-01-01 00:00 UTC where nobody says when, so that transcripts are the same on every day."""


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, moves the clock ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for something that virtual time can not bring")
        self.ahead_s += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The event loop with jumping time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    @property
    def _clock_resolution(self) -> float:
        """Timers are due that much early. A nanosecond is lost beside 2**24 seconds: none would ever be due after those."""
        return max(1e-9, 2 * ulp(self._jumping.ahead_s))

    @_clock_resolution.setter
    def _clock_resolution(self, _: float) -> None:
        """The loop's own is that of a clock of the system."""

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.ahead_s


class VirtualClock:
    """Clock of the running virtual loop, which begins at that moment (Unix seconds)."""

    def __init__(self, begins_s: float = EPOCH_S) -> None:
        self._begins_s = begins_s

    def now(self) -> float:
        """Unix seconds."""
        return self._begins_s + asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Return after that many virtual seconds."""
        await asyncio.sleep(seconds)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to its end in virtual time; whatever else still runs then is cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
