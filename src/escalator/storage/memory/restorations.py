"""What has to be put back, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.progress import Restoration
from escalator.storage import rules


class MemoryRestorations:
    """Rows by id; what is not put back yet stands in an index of its own."""

    def __init__(self) -> None:
        self._open: dict[str, Restoration] = {}
        self._done: dict[str, Restoration] = {}

    async def add(self, row: Restoration) -> Restoration:
        """Write down before changing; the first open row of an id stays and is returned."""
        found = self._open.get(row.id)
        if found is None:
            self._done.pop(row.id, None)
            found = self._open[row.id] = replace(row, found=rules.plain(row.found), restored_at=None)
        return found

    async def say(self, row_id: str, commands: Sequence[str]) -> None:
        """Replace the commands of a row; nothing happens when it is not open."""
        row = self._open.get(row_id)
        if row is not None:
            self._open[row_id] = replace(row, commands=tuple(commands))

    async def done(self, row_id: str, at: float) -> None:
        """Mark as put back; nothing happens when it is not open."""
        row = self._open.pop(row_id, None)
        if row is not None:
            self._done[row_id] = replace(row, restored_at=at)

    async def open(self, campaign: str | None = None, node: str | None = None) -> Sequence[Restoration]:
        """Return what is not put back yet, oldest first: of everything, of a campaign, of a node, or of a campaign's node."""
        rows = [row for row in self._open.values() if campaign in (None, row.campaign) and node in (None, row.node)]
        return sorted(rows, key=lambda row: (row.created_at, row.id))

    async def written(self, campaign: str) -> Sequence[Restoration]:
        """All that was ever written down of a campaign, put back or not, oldest first."""
        rows = [row for row in (*self._open.values(), *self._done.values()) if row.campaign == campaign]
        return sorted(rows, key=lambda row: (row.created_at, row.id))
