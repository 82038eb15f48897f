"""What is kept of nodes, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from escalator.model.backup import BackupState, NodeBackup, RestoreState
from escalator.storage import rules


class MemoryBackups:
    """Backups by their id."""

    def __init__(self) -> None:
        self._rows: dict[str, NodeBackup] = {}

    async def add(self, row: NodeBackup) -> NodeBackup:
        """Store; the first row of an id stays and is returned."""
        kept = replace(row, versions=rules.plain(dict(row.versions)), content=rules.plain(dict(row.content)))
        return self._rows.setdefault(row.id, kept)

    async def get(self, backup_id: str) -> NodeBackup | None:
        """Return the backup, or None."""
        return self._rows.get(backup_id)

    async def list(self, campaign: str | None = None, node: str | None = None) -> Sequence[NodeBackup]:
        """Return all, those of a campaign, of a node, or of both; newest first."""
        return _newest(row for row in self._rows.values() if campaign in (None, row.campaign) and node in (None, row.node))

    async def begin_restore(self, backup_id: str, at: float) -> NodeBackup | None:
        """Mark that it is being restored; None when it is not kept, or its node is busy with a restore already."""
        row = self._rows.get(backup_id)
        busy = {other.node for other in self._rows.values() if other.restore is RestoreState.RUNNING}
        if row is None or row.state is BackupState.PRUNED or row.node in busy:
            return None
        begun = replace(row, restore=RestoreState.RUNNING, restores=row.restores + 1, restored_at=at, code="", message="")
        self._rows[backup_id] = begun
        return begun

    async def restoring(self) -> Sequence[NodeBackup]:
        """Return those that are being restored, newest first."""
        return _newest(row for row in self._rows.values() if row.restore is RestoreState.RUNNING)

    async def mark(self, backup_id: str, **changes: Any) -> NodeBackup | None:  # noqa: ANN401 - fields of a backup
        """Change a row; None when there is none."""
        row = self._rows.get(backup_id)
        if row is None:
            return None
        self._rows[backup_id] = replace(row, **changes)
        return self._rows[backup_id]


def _newest(rows: Iterable[NodeBackup]) -> Sequence[NodeBackup]:
    return sorted(rows, key=lambda row: (-row.taken_at, row.id))
