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
TRIES = 3
"""What asks for another try, or died with its node, is begun this often."""
RETRY_PAUSE_S = 60.0
"""Before the next try of what asks for one: as a rule another package manager has let go of its lock by then."""


def again(first: str) -> Sequence[str]:
    """Names for the tries of an operation: each is an operation of its own on the node."""
    return (first, *(f"{first}-{number}" for number in range(2, TRIES + 1)))


async def tried(clock: Clock, operations: Sequence[str], perform: Callable[[str], Awaitable[Progress]]) -> Progress:
    """Perform these operations, one after the other, until one neither asks for another try nor died with its node.

    The caller's time-out bounds all of them together.
    """
    for operation in operations[:-1]:
        progress = await perform(operation)
        if progress.state in (*GOOD, OperationState.FAILED):
            return progress
        if progress.state is OperationState.RETRY:
            await clock.sleep(RETRY_PAUSE_S)
    return await perform(operations[-1])


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
