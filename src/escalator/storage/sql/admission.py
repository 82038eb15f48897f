"""The two doors in a database: what `decide` sees stays true until the slot is taken, over all replicas."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from escalator.model.progress import Event, NodeTask, TaskState
from escalator.storage import rules
from escalator.storage.engine import Database, Lock
from escalator.storage.port import ImpactRow, NodeSlot
from escalator.storage.sql.events import insert_events
from escalator.storage.sql.tasks import LATEST, PUT, values_of
from escalator.storage.sql.upsert import insert_or_replace
from escalator.storage.tables import impacts, node_slots

_TAKE = insert_or_replace(node_slots)
_SLOTS = sa.select(node_slots).order_by(node_slots.c.since, node_slots.c.campaign, node_slots.c.node)
_LEAVE = node_slots.delete().where(node_slots.c.campaign == sa.bindparam("campaign"), node_slots.c.node == sa.bindparam("node"))
_LEAVE_OF = _LEAVE.where(node_slots.c.task == sa.bindparam("task"))

_START = impacts.insert()
_STARTED = sa.select(impacts.c.id).where(impacts.c.id == sa.bindparam("id"))
_RECENT = sa.select(impacts).where(sa.or_(impacts.c.ended_at.is_(None), impacts.c.ended_at > sa.bindparam("since")))
_END = impacts.update().where(impacts.c.id == sa.bindparam("key"), impacts.c.ended_at.is_(None))
_WITHDRAW = impacts.delete().where(impacts.c.id == sa.bindparam("key"), impacts.c.ended_at.is_(None))
_OF_CAMPAIGN = (
    sa.select(impacts).where(impacts.c.campaign == sa.bindparam("campaign")).order_by(impacts.c.started_at, impacts.c.id)
)


class SqlAdmission:
    """Node slots and impacts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enter_node(self, slot: NodeSlot, decide: Callable[[Sequence[NodeSlot]], str | None]) -> str | None:
        """Take a node slot; None when taken or held already by the same task, else the reason."""
        values = {"campaign": slot.campaign, "node": slot.node, "task": slot.task, "since": slot.since}

        def work(connection: sa.Connection) -> str | None:
            slots = _slots(connection)
            if any((held.campaign, held.node, held.task) == (slot.campaign, slot.node, slot.task) for held in slots):
                return None
            reason = _gone(connection, slot) or decide(slots)
            if reason is None:
                connection.execute(_TAKE.on(connection), values)
            return reason

        return await self._database.write(work, Lock.NODES)

    async def put_instead(self, seen: NodeTask, task: NodeTask, events: Sequence[Event] = (), *, leave: bool = False) -> None:
        """Store the task where `seen` stands and append the events; raises ConflictError when another stands there."""
        where, values = {"campaign": seen.campaign, "node": seen.node}, values_of(task)

        def work(connection: sa.Connection) -> None:
            attempt, state = connection.execute(LATEST, where).one_or_none() or (None, None)
            begins = any(slot.task == seen.id for slot in _slots(connection))
            rules.require_as_seen(seen, attempt, state, begins=begins)
            connection.execute(PUT.on(connection), values)
            if leave:
                connection.execute(_LEAVE, where)
            insert_events(connection, events)

        # Under the lock of the door: what is seen to wait does not begin before the commit.
        await self._database.write(work, Lock.NODES)

    async def leave_node(self, campaign: str, node: str, task: str | None = None) -> None:
        """Give the slot back; nothing happens when it is not taken, or by another task than the one named."""
        values = {"campaign": campaign, "node": node} | ({} if task is None else {"task": task})
        statement = _LEAVE if task is None else _LEAVE_OF
        await self._database.write(lambda connection: connection.execute(statement, values).close())

    async def node_slots(self) -> Sequence[NodeSlot]:
        """Return the slots taken, oldest first."""
        return await self._database.read(_slots)

    async def enter_impact(self, row: ImpactRow, since: float, decide: Callable[[Sequence[ImpactRow]], str | None]) -> str | None:
        """Take an impact's slots; None when taken (now or before), else the reason."""
        values = _values(row)

        def work(connection: sa.Connection) -> str | None:
            if connection.execute(_STARTED, {"id": row.id}).one_or_none() is not None:
                return None
            reason = decide([_impact(found) for found in connection.execute(_RECENT, {"since": since})])
            if reason is None:
                connection.execute(_START, values)
            return reason

        return await self._database.write(work, Lock.IMPACTS)

    async def end_impact(self, row_id: str, at: float) -> None:
        """End an impact; nothing happens when it is not open."""
        values = {"key": row_id, "ended_at": at}
        await self._database.write(lambda connection: connection.execute(_END, values).close())

    async def withdraw_impact(self, row_id: str) -> None:
        """Forget an open impact by which nothing happened; nothing happens when it is not open."""
        values = {"key": row_id}
        await self._database.write(lambda connection: connection.execute(_WITHDRAW, values).close())

    async def impacts(self, campaign: str) -> Sequence[ImpactRow]:
        """Return all impacts of the campaign, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(_OF_CAMPAIGN, {"campaign": campaign}).all(), long=True
        )
        return [_impact(row) for row in rows]


def _gone(connection: sa.Connection, slot: NodeSlot) -> str | None:
    latest = connection.execute(LATEST, {"campaign": slot.campaign, "node": slot.node}).one_or_none()
    if latest is None:
        return None
    return rules.not_waiting(slot.task, f"{slot.campaign}/{slot.node}/{latest.attempt}", TaskState(latest.state))


def _slots(connection: sa.Connection) -> list[NodeSlot]:
    return [NodeSlot(**row._asdict()) for row in connection.execute(_SLOTS)]


def _values(row: ImpactRow) -> Mapping[str, Any]:
    return {
        "id": row.id,
        "campaign": row.campaign,
        "node": row.node,
        "instance": row.instance,
        "kind": row.kind,
        "groups_json": rules.to_text(row.groups),
        "target": row.target,
        "demand_json": rules.to_text(dict(row.demand)),
        "cells_json": rules.to_text(row.cells),
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }


def _impact(row: sa.Row[Any]) -> ImpactRow:
    values = row._asdict()
    groups = tuple(json.loads(values.pop("groups_json")))
    demand = json.loads(values.pop("demand_json"))
    cells = tuple(json.loads(values.pop("cells_json")))
    return ImpactRow(**values, groups=groups, demand=demand, cells=cells)
