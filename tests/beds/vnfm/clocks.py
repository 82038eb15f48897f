"""A clock for tests that stands still until it is told to go on."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

START = 1_800_000_000.0
"""Any round time; far enough from zero to show lost precision."""


class SteppedClock:
    """Time passes only by `advance`; sleepers wake in the order of their times."""

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    @property
    def sleeping(self) -> int:
        return sum(1 for *_, future in self._sleepers if not future.done())

    async def advance(self, seconds: float) -> None:
        await self.advance_to(self._now + seconds)

    async def advance_to(self, when: float) -> None:
        """Let time pass, and let everybody do at each moment what there is to do."""
        await quiet()
        while self._sleepers and self._sleepers[0][0] <= when:
            at, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._now = max(self._now, at)
                future.set_result(None)
                await quiet()
        self._now = max(self._now, when)
        await quiet()


async def quiet(turns: int = 100) -> None:
    """Give all that can run without waiting for time or network its turns."""
    for _ in range(turns):
        await asyncio.sleep(0)
