"""The history in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Unpack

from escalator.model.progress import Event
from escalator.storage.history import Only


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

    async def read(self, after: int = 0, *, limit: int = 1000, **only: Unpack[Only]) -> Sequence[Event]:
        """Return up to `limit` events with a higher `seq`, oldest first."""
        first = max(after, 0)
        asked: Only = {name: value for name, value in only.items() if value is not None}  # type: ignore[assignment]
        if not asked:
            return self._events[first : first + limit]
        found = (event for event in islice(self._events, first, None) if _is_asked(event, asked))
        return [*islice(found, limit)]

    async def last(self) -> int:
        """Return the highest `seq` so far."""
        return len(self._events)


def _is_asked(event: Event, asked: Only) -> bool:
    since, until = asked.get("since"), asked.get("until")
    at = (since is None or event.at >= since) and (until is None or event.at < until)
    return at and all(getattr(event, name) == asked[name] for name in ("campaign", "node", "action", "code") if name in asked)
