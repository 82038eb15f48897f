"""The history in a database.

A reader asks for what is after the last `seq` it saw, so a lower one must never become visible later. SQLite has one
writer at a time. PostgreSQL's sequence gives numbers out at the insert but rows appear at the commit, in any order;
there every transaction takes the lock on events before it draws its numbers and keeps it until its commit. It does so
as its last act, so that nobody holds it while waiting for another lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from escalator.model.progress import Event
from escalator.storage import rules
from escalator.storage.engine import Database, Lock, take
from escalator.storage.tables import events as table

_INSERT = table.insert()
_FIRST = sa.select(table).where(table.c.seq > sa.bindparam("after")).order_by(table.c.seq).limit(sa.bindparam("limit"))
_OF_CAMPAIGN = _FIRST.where(table.c.campaign == sa.bindparam("campaign"))
_OF_NODE = _FIRST.where(table.c.node == sa.bindparam("node"))
_READ = {
    (False, False): _FIRST,
    (True, False): _OF_CAMPAIGN,
    (False, True): _OF_NODE,
    (True, True): _OF_CAMPAIGN.where(table.c.node == sa.bindparam("node")),
}
"""By whether a campaign and a node are asked for."""
_NO_DATA = "{}"


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

    async def read(
        self, after: int = 0, *, campaign: str | None = None, node: str | None = None, limit: int = 1000
    ) -> Sequence[Event]:
        """Return up to `limit` events with a higher `seq`, oldest first."""
        statement = _READ[campaign is not None, node is not None]
        values = {"after": after, "limit": limit, "campaign": campaign, "node": node}
        return await self._database.read(
            lambda connection: [_event(row) for row in connection.execute(statement, values)], long=True
        )


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
        "data_json": rules.to_text(dict(event.data)) if event.data else _NO_DATA,
    }


def _event(row: sa.Row[Any]) -> Event:
    values = row._asdict()
    data = json.loads(values.pop("data_json"))
    return Event(**values, data=data)
