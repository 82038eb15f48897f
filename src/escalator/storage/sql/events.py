"""The history in a database.

A reader asks for what is after the last `seq` it saw, so a lower one must never become visible later. SQLite has one
writer at a time. PostgreSQL's sequence gives numbers out at the insert but rows appear at the commit, in any order;
there every transaction takes the lock on events before it draws its numbers and keeps it until its commit. It does so
as its last act, so that nobody holds it while waiting for another lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Unpack

import sqlalchemy as sa

from escalator.model.progress import Event
from escalator.storage import rules
from escalator.storage.engine import Database, Lock, take
from escalator.storage.history import Only
from escalator.storage.tables import events as table

_INSERT = table.insert()
_LAST = sa.select(sa.func.max(table.c.seq))
_FIRST = sa.select(table).where(table.c.seq > sa.bindparam("after")).order_by(table.c.seq).limit(sa.bindparam("limit"))
_ONLY: Mapping[str, sa.ColumnElement[bool]] = {
    "campaign": table.c.campaign == sa.bindparam("campaign"),
    "node": table.c.node == sa.bindparam("node"),
    "action": table.c.action == sa.bindparam("action"),
    "code": table.c.code == sa.bindparam("code"),
    "since": table.c.at >= sa.bindparam("since"),
    "until": table.c.at < sa.bindparam("until"),
}


@cache
def _read(asked: tuple[str, ...]) -> sa.Select[Any]:
    """The question for what is asked; there are few, and making one takes longer than asking it."""
    return _FIRST.where(*(_ONLY[name] for name in asked))


_NO_DATA = "{}"
_BY = "_by"
"""Who asked for it is kept among the data: few lines have anybody, and none is looked for by it."""


def insert_events(connection: sa.Connection, events: Sequence[Event]) -> None:
    """Append within the caller's transaction, as its last act before the commit."""
    if events:
        if connection.dialect.name != "sqlite":
            take(connection, Lock.EVENTS)
        connection.execute(_INSERT, [_values(event) for event in events])


class SqlEvents:
    """The append-only history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, events: Sequence[Event]) -> None:
        """Append and number, in one transaction."""
        await self._database.write(lambda connection: insert_events(connection, events))

    async def read(self, after: int = 0, *, limit: int = 1000, **only: Unpack[Only]) -> Sequence[Event]:
        """Return up to `limit` events with a higher `seq`, oldest first."""
        asked = {name: value for name, value in only.items() if value is not None}
        statement, values = _read(tuple(sorted(asked))), {"after": after, "limit": limit, **asked}
        return await self._database.read(
            lambda connection: [_event(row) for row in connection.execute(statement, values)], long=True
        )

    async def last(self) -> int:
        """Return the highest `seq` so far."""
        return int(await self._database.read(lambda connection: connection.execute(_LAST).scalar_one()) or 0)


def _values(event: Event) -> Mapping[str, Any]:
    return {
        "at": event.at,
        "action": event.action,
        "campaign": event.campaign,
        "node": event.node,
        "object_id": event.object_id,
        "step": event.step,
        "outcome": event.outcome,
        "code": event.code,
        "message": event.message,
        "duration_s": event.duration_s,
        "data_json": _data(event),
    }


def _data(event: Event) -> str:
    said = event.data if event.by is None else {**event.data, _BY: event.by}
    return rules.to_text(dict(said)) if said else _NO_DATA


def _event(row: sa.Row[Any]) -> Event:
    values = row._asdict()
    data = json.loads(values.pop("data_json"))
    return Event(**values, by=data.pop(_BY, None), data=data)
