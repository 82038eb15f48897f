"""The part of the storage port that keeps the record of backups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from escalator.model.backup import NodeBackup


class Backups(Protocol):
    """What is kept of nodes, as the manager knows it."""

    async def add(self, row: NodeBackup) -> NodeBackup:
        """Store; the first row of an id stays and is returned."""
        ...

    async def get(self, backup_id: str) -> NodeBackup | None:
        """The backup of that id, or None."""
        ...

    async def list(self, campaign: str | None = None, node: str | None = None) -> Sequence[NodeBackup]:
        """All, those of a campaign, of a node, or of both; newest first."""
        ...

    async def begin_restore(self, backup_id: str, at: float) -> NodeBackup | None:
        """Mark that it is being restored; None when it is not kept, or a backup of its node is being restored already."""
        ...

    async def restoring(self) -> Sequence[NodeBackup]:
        """Those that are being restored, newest first."""
        ...

    async def mark(self, backup_id: str, **changes: object) -> NodeBackup | None:
        """Change a row; None when there is none."""
        ...
