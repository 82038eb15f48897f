"""Alarms in a database."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from escalator.model.alarm import Alarm
from escalator.storage import rules
from escalator.storage.engine import Database, Lock
from escalator.storage.sql.upsert import insert_or_replace
from escalator.storage.tables import alarms

BATCH = 500
"""Ids per query: databases bound how many values a statement may carry."""
_PUT = insert_or_replace(alarms)
_LIVE = alarms.c.ended_at.is_(None)
_IS = alarms.c.id == sa.bindparam("key")
_GET = sa.select(alarms).where(_IS)
_GET_LIVE = _GET.where(_LIVE)
_OF = sa.select(alarms).where(alarms.c.server.in_(sa.bindparam("servers", expanding=True)))
_OTHERS = sa.select(sa.func.count()).select_from(alarms).where(_LIVE, alarms.c.id != sa.bindparam("key"))
_OF_SERVER = _OTHERS.where(alarms.c.server == sa.bindparam("of"))
_OF_PROJECT = _OTHERS.where(alarms.c.project == sa.bindparam("of"))
_CHANGE = alarms.update().where(_IS)
_REMOVE = alarms.delete().where(_IS)
_FORGET = alarms.delete().where(alarms.c.ended_at < sa.bindparam("before"))


class SqlAlarms:
    """Alarms by their id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, alarm: Alarm, *, per_server: int, per_project: int) -> bool:
        """Store, in place of the one of that id; False when its server or project has as many other live ones."""

        def work(connection: sa.Connection) -> bool:
            of_server = connection.execute(_OF_SERVER, {"key": alarm.id, "of": alarm.server}).scalar_one()
            of_project = connection.execute(_OF_PROJECT, {"key": alarm.id, "of": alarm.project}).scalar_one()
            if of_server >= per_server or of_project >= per_project:
                return False
            _PUT.inserts(connection, _columns(asdict(alarm)))
            return True

        return await self._database.write(work, Lock.ALARMS)

    async def get(self, alarm_id: str) -> Alarm | None:
        """Return the alarm, or None."""
        row = await self._database.read(lambda connection: connection.execute(_GET, {"key": alarm_id}).one_or_none())
        return None if row is None else _alarm(row)

    async def of_servers(self, servers: Collection[str]) -> Sequence[Alarm]:
        """Return all of these instances, by time, then by id."""
        ids = sorted(set(servers))

        def work(connection: sa.Connection) -> list[Alarm]:
            batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
            found = [_alarm(row) for batch in batches for row in connection.execute(_OF, {"servers": batch})]
            # By code point, as the memory store does; databases sort by their own collation.
            return sorted(found, key=lambda alarm: (alarm.registered_at, alarm.id))

        return await self._database.read(work)

    async def mark(self, alarm_id: str, **changes: object) -> Alarm | None:
        """Change a live alarm; None when there is none."""

        def work(connection: sa.Connection) -> Alarm | None:
            if connection.execute(_GET_LIVE, {"key": alarm_id}).one_or_none() is None:
                return None
            connection.execute(_CHANGE.values(_columns(changes)), {"key": alarm_id})
            return _alarm(connection.execute(_GET, {"key": alarm_id}).one())

        return await self._database.write(work, Lock.ALARMS)

    async def end(self, alarm_id: str, at: float) -> Alarm | None:
        """End a live alarm and return it as it was; None when there is none."""

        def work(connection: sa.Connection) -> Alarm | None:
            row = connection.execute(_GET_LIVE, {"key": alarm_id}).one_or_none()
            if row is None:
                return None
            change = _REMOVE if row.notice is None else _CHANGE.values(ended_at=at)
            connection.execute(change, {"key": alarm_id})
            return _alarm(row)

        return await self._database.write(work, Lock.ALARMS)

    async def forget(self, before: float) -> None:
        """Forget those that ended before that time."""
        await self._database.write(lambda connection: connection.execute(_FORGET, {"before": before}).close())


def _columns(fields: Mapping[str, object]) -> dict[str, object]:
    return {f"{name}_json" if name == "fault_ids" else name: _value(name, value) for name, value in fields.items()}


def _value(name: str, value: object) -> object:
    return rules.to_text(value) if name == "fault_ids" else value


def _alarm(row: sa.Row[Any]) -> Alarm:
    values = row._asdict()
    return Alarm(fault_ids=tuple(json.loads(values.pop("fault_ids_json"))), **values)
