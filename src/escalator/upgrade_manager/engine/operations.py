"""Following a detached operation on a node to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from escalator.model.clock import Clock
from escalator.model.errors import TemporaryError
from escalator.system_support.port import OperationState, Progress, SystemSupport
from escalator.upgrade_manager.engine.context import Pace

LOG_LINES = 5
"""Last lines of the operation's log that a failure's message carries."""
Told = Callable[[Sequence[str]], Awaitable[None]]
GOOD = (OperationState.DONE, OperationState.NOT_NEEDED)


async def follow(
    system: SystemSupport, node: str, operation: str, clock: Clock, pace: Pace, told: Told | None = None
) -> Progress:
    """How the operation ended, with the last lines of its log where it ended badly. The caller's time-out bounds it.

    `told` is given the lines for the history as they come, from the log's beginning.
    """
    began = clock.now()
    tail: deque[str] = deque(maxlen=LOG_LINES)
    cursor = 0
    while True:
        try:
            progress = await system.poll(node, operation, cursor)
        except TemporaryError:
            # Once started the operation needs nobody: a node that does not answer now is asked again later.
            await clock.sleep(pace.next_poll_s(clock.now() - began))
            continue
        tail.extend(progress.lines)
        if told is not None and progress.told:
            await told(progress.told)
        more, cursor = progress.cursor > cursor, progress.cursor
        if progress.state is OperationState.RUNNING:
            await clock.sleep(pace.next_poll_s(clock.now() - began))
        elif progress.state in GOOD or not more:
            # A log comes in pieces; why an operation failed stands in its last one.
            return replace(progress, lines=tuple(tail))
