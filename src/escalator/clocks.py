"""The system's clock. Only `wiring` hands it out; everything else takes a `Clock` as an argument."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Wall-clock time of this machine."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(seconds)
