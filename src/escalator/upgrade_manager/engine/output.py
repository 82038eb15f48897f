"""What an operation on a node says of itself, as lines of the history: the tasks of a playbook."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.progress import Event
from escalator.upgrade_manager.engine.job import Job

MAX_LINES = 40
"""Lines that one event carries; of more the last ones, they tell how far it is."""
WRITTEN = "output"
"""Memo of a task: how many lines of which operation are in the history."""


class Output:
    """Follows one operation from the beginning of its log. Lines that an earlier look has written are not written again."""

    def __init__(self, job: Job, operation: str) -> None:
        self._job = job
        self._operation = operation
        self._seen = 0

    async def take(self, lines: Sequence[str]) -> None:
        """Write the lines that came, as one event."""
        kept = (await self._job.memo()).get(WRITTEN) or {}
        written = kept["lines"] if kept.get("operation") == self._operation else 0
        new = lines[max(0, written - self._seen) :]
        self._seen += len(lines)
        if not new:
            return
        shown = list(new[-MAX_LINES:])
        event = Event(
            at=self._job.ctx.clock.now(),
            action="node.output",
            campaign=self._job.ref.campaign,
            node=self._job.node,
            object_id=self._job.node,
            message=shown[-1],
            data={"operation": self._operation, "lines": shown, "left_out": len(new) - len(shown)},
        )
        await self._job.ctx.store.events.append((event,))
        await self._job.remember(WRITTEN, {"operation": self._operation, "lines": self._seen})
