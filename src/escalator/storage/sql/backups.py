"""What is kept of nodes, in a database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from escalator.model.backup import BackupState, NodeBackup, RestoreState
from escalator.storage import rules
from escalator.storage.engine import Database, Lock
from escalator.storage.sql.upsert import insert_or_keep
from escalator.storage.tables import backups as table

_PARTS = {"scope": tuple, "missing": tuple, "versions": dict, "content": dict}
"""Fields that are kept as JSON, and what they are."""
_ADD = insert_or_keep(table)
_ALL = sa.select(table)
_IS = table.c.id == sa.bindparam("key")
_GET = _ALL.where(_IS)
_RESTORING = _ALL.where(table.c.restore == RestoreState.RUNNING.value)
_BUSY = _RESTORING.where(table.c.node == sa.bindparam("node"))
_CHANGE = table.update().where(_IS)


class SqlBackups:
    """Backups by their id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: NodeBackup) -> NodeBackup:
        """Store; the first row of an id stays and is returned."""
        values = _columns({field.name: getattr(row, field.name) for field in fields(row)})

        def work(connection: sa.Connection) -> NodeBackup:
            _ADD.inserts(connection, values)
            return _backup(connection.execute(_GET, {"key": row.id}).one())

        return await self._database.write(work)

    async def get(self, backup_id: str) -> NodeBackup | None:
        """Return the backup, or None."""
        row = await self._database.read(lambda connection: connection.execute(_GET, {"key": backup_id}).one_or_none())
        return None if row is None else _backup(row)

    async def list(self, campaign: str | None = None, node: str | None = None) -> Sequence[NodeBackup]:
        """Return all, those of a campaign, of a node, or of both; newest first."""
        query = _ALL
        if campaign is not None:
            query = query.where(table.c.campaign == campaign)
        if node is not None:
            query = query.where(table.c.node == node)
        return _newest(await self._database.read(lambda connection: connection.execute(query).all(), long=True))

    async def begin_restore(self, backup_id: str, at: float) -> NodeBackup | None:
        """Mark that it is being restored; None when it is not kept, or its node is busy with a restore already."""

        def work(connection: sa.Connection) -> NodeBackup | None:
            row = connection.execute(_GET, {"key": backup_id}).one_or_none()
            if row is None or row.state == BackupState.PRUNED.value:
                return None
            if connection.execute(_BUSY, {"node": row.node}).first() is not None:
                return None
            begun = {"restore": RestoreState.RUNNING, "restores": row.restores + 1, "restored_at": at, "code": "", "message": ""}
            connection.execute(_CHANGE.values(_columns(begun)), {"key": backup_id})
            return _backup(connection.execute(_GET, {"key": backup_id}).one())

        return await self._database.write(work, Lock.BACKUPS)

    async def restoring(self) -> Sequence[NodeBackup]:
        """Return those that are being restored, newest first."""
        return _newest(await self._database.read(lambda connection: connection.execute(_RESTORING).all(), long=True))

    async def mark(self, backup_id: str, **changes: object) -> NodeBackup | None:
        """Change a row; None when there is none."""

        def work(connection: sa.Connection) -> NodeBackup | None:
            connection.execute(_CHANGE.values(_columns(changes)), {"key": backup_id})
            row = connection.execute(_GET, {"key": backup_id}).one_or_none()
            return None if row is None else _backup(row)

        return await self._database.write(work, Lock.BACKUPS)


def _columns(values: Mapping[str, object]) -> dict[str, object]:
    return {f"{name}_json" if name in _PARTS else name: _value(name, value) for name, value in values.items()}


def _value(name: str, value: object) -> object:
    if name in _PARTS:
        return rules.to_text(dict(value) if isinstance(value, Mapping) else value)
    return value.value if isinstance(value, (BackupState, RestoreState)) else value


def _backup(row: sa.Row[Any]) -> NodeBackup:
    values = row._asdict()
    parts = {name: kind(json.loads(values.pop(f"{name}_json"))) for name, kind in _PARTS.items()}
    state, restore = BackupState(values.pop("state")), RestoreState(values.pop("restore"))
    return NodeBackup(**values, **parts, state=state, restore=restore)


def _newest(rows: Sequence[sa.Row[Any]]) -> Sequence[NodeBackup]:
    # By code point, as the memory store does; databases sort by their own collation.
    return sorted(map(_backup, rows), key=lambda row: (-row.taken_at, row.id))
