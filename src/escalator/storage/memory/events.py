"""The history in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from escalator.model.progress import Event


class MemoryEvents:
    """The append-only history: the event with `seq` n stands at n - 1."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def extend(self, events: Sequence[Event]) -> None:
        """Append within the caller's change."""
        for event in events:
            self._events.append(replace(event, seq=len(self._events) + 1))

    async def append(self, events: Sequence[Event]) -> None:
        """Append and number."""
        self.extend(events)

    async def read(
        self, after: int = 0, *, campaign: str | None = None, node: str | None = None, limit: int = 1000
    ) -> Sequence[Event]:
        """Return up to `limit` events with a higher `seq`, oldest first."""
        first = max(after, 0)
        if campaign is None and node is None:
            return self._events[first : first + limit]
        found = (
            event
            for event in islice(self._events, first, None)
            if (campaign is None or event.campaign == campaign) and (node is None or event.node == node)
        )
        return [*islice(found, limit)]
