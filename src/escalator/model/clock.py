"""Time as an argument: nothing in Escalator reads a clock that was not handed to it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Where time comes from. The system's clock and the rehearsal's virtual clock both fit."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...
