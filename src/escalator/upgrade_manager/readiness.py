"""Whether a server can work: what it has to keep can be written."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.upgrade_manager.engine.context import Context

LOOK_S = 5.0
"""What was found is said again for so long: whoever asks without a token makes nobody write more often."""
ROOM_BYTES = 256 * 2**10
"""What the disk of the state directory has to take."""
_PLACE, _KEY = "*", "ready"
"""What is written to see that it can be: a memo of no campaign, whose names are DNS labels."""


class Readiness:
    """Looks whether the database and the state directory can be written, not more often than every LOOK_S seconds."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._at: float | None = None
        self._found: TemporaryError | None = None

    async def require(self, ctx: Context, state: Path) -> None:
        """Raise TemporaryError (`STO_UNAVAILABLE`) when one of the two cannot be written, or does not answer."""
        async with self._turn:
            now = ctx.clock.now()
            if self._at is None or not 0 <= now - self._at < LOOK_S:
                self._found = await _trouble(ctx, state, now)
                self._at = now
            found = self._found
        if found is not None:
            raise TemporaryError(found.code, found.message, remedy=found.remedy)


async def _trouble(ctx: Context, state: Path, now: float) -> TemporaryError | None:
    try:
        await ctx.store.tasks.remember(_PLACE, _KEY, now)
        await asyncio.to_thread(_write, state)
    except TemporaryError as error:
        return error
    return None


def _write(state: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=state) as room:
            room.write(bytes(ROOM_BYTES))
            room.flush()
    except OSError as error:
        message = f"The state directory {state} cannot be written: {error.strerror or error}."
        raise TemporaryError(Code.STO_UNAVAILABLE, message, remedy=f"See df -h {state}") from error
