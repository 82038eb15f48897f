"""The append-only history, as storage keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypedDict, Unpack

from escalator.model.progress import Event


class Only(TypedDict, total=False):
    """Which events are read; null and what is left out asks for nothing."""

    campaign: str | None
    node: str | None
    code: str | None
    action: str | None
    since: float | None
    """From this time on, Unix seconds."""
    until: float | None
    """Before this time."""


class Events(Protocol):
    """The append-only history."""

    async def append(self, events: Sequence[Event]) -> None:
        """Append and number, in one transaction."""
        ...

    async def read(self, after: int = 0, *, limit: int = 1000, **only: Unpack[Only]) -> Sequence[Event]:
        """Events with a higher `seq`, oldest first."""
        ...

    async def last(self) -> int:
        """The highest `seq` so far, 0 without an event. Whatever is appended later has a higher one."""
        ...
