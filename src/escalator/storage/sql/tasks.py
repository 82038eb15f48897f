"""Node tasks and their memos in a database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from sys import intern
from typing import Any

import sqlalchemy as sa

from escalator.model.progress import Condition, Event, NodeTask, Rung, TaskKind, TaskState
from escalator.storage import rules
from escalator.storage.engine import Database
from escalator.storage.sql.events import insert_events
from escalator.storage.sql.upsert import insert_or_keep, insert_or_replace
from escalator.storage.tables import memos, tasks

PUT = insert_or_replace(tasks)
"""Store the task of `values_of`."""
_GET = (
    sa.select(tasks)
    .where(tasks.c.campaign == sa.bindparam("campaign"), tasks.c.node == sa.bindparam("node"))
    .order_by(tasks.c.attempt.desc())
    .limit(1)
)
_LAST_OF = _GET.where(tasks.c.kind == sa.bindparam("kind"))
LATEST = _GET.with_only_columns(tasks.c.attempt, tasks.c.state)
"""Attempt and state of the latest turn of `node` in `campaign`."""
_attempts = tasks.alias("attempts")
_LATEST = (
    sa.select(sa.func.max(_attempts.c.attempt))
    .where(_attempts.c.campaign == tasks.c.campaign, _attempts.c.node == tasks.c.node)
    .scalar_subquery()
)
_LIST = (
    sa.select(tasks)
    .where(tasks.c.campaign == sa.bindparam("campaign"), tasks.c.attempt == _LATEST)
    .order_by(tasks.c.wave, tasks.c.node)
)
_LIST_BRIEF = _LIST.with_only_columns(*(column for column in tasks.c if column.name != "ladder_json"))
_FIRSTS = (
    sa.select(tasks.c.node, sa.func.min(tasks.c.attempt))
    .where(tasks.c.campaign == sa.bindparam("campaign"), tasks.c.kind == sa.bindparam("kind"))
    .group_by(tasks.c.node)
)
_MEMO = sa.select(memos.c.key, memos.c.value_json).where(memos.c.task == sa.bindparam("task"))
_REMEMBER = insert_or_replace(memos)
_REMEMBER_ONCE = insert_or_keep(memos)
_REMEMBERED = sa.select(memos.c.value_json).where(memos.c.task == sa.bindparam("task"), memos.c.key == sa.bindparam("key"))


class SqlTasks:
    """Node tasks: per campaign and node, its attempts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, task: NodeTask, events: Sequence[Event] = ()) -> None:
        """Store the task as it is now and append the events."""
        values = values_of(task)

        def work(connection: sa.Connection) -> None:
            connection.execute(PUT.on(connection), values)
            insert_events(connection, events)

        await self._database.write(work)

    async def get(self, campaign: str, node: str) -> NodeTask | None:
        """Return the latest attempt, or None."""
        values = {"campaign": campaign, "node": node}
        row = await self._database.read(lambda connection: connection.execute(_GET, values).one_or_none())
        return None if row is None else _task(row)

    async def list(self, campaign: str, *, ladders: bool = True) -> Sequence[NodeTask]:
        """Return the latest attempt of each node, in order of wave and node; without their ladders if so asked."""
        query = _LIST if ladders else _LIST_BRIEF
        values = {"campaign": campaign}
        # Row by row: of thousands of nodes the texts of all ladders would be more than the tasks themselves.
        return await self._database.read(lambda connection: [_task(row) for row in connection.execute(query, values)], long=True)

    async def last_of(self, campaign: str, node: str, kind: TaskKind) -> NodeTask | None:
        """Return the latest attempt of that kind, or None."""
        values = {"campaign": campaign, "node": node, "kind": kind.value}
        row = await self._database.read(lambda connection: connection.execute(_LAST_OF, values).one_or_none())
        return None if row is None else _task(row)

    async def firsts(self, campaign: str, kind: TaskKind) -> Mapping[str, int]:
        """Return the attempt with which each node's turns of that kind began."""
        values = {"campaign": campaign, "kind": kind.value}
        rows = await self._database.read(lambda connection: connection.execute(_FIRSTS, values).all())
        return {node: int(attempt) for node, attempt in rows}

    async def memo(self, task_id: str) -> Mapping[str, Any]:
        """Return what the steps of the task have written down so far."""
        rows = await self._database.read(lambda connection: connection.execute(_MEMO, {"task": task_id}).all())
        return {key: json.loads(text) for key, text in rows}

    async def remember(self, task_id: str, key: str, value: object, *, once: bool = False) -> Any:  # noqa: ANN401 - JSON
        """Write down a JSON value and return what stands there; with `once` the first value stays."""
        text = rules.to_text(value)
        values = {"task": task_id, "key": key, "value_json": text}

        def work(connection: sa.Connection) -> str:
            if not once:
                connection.execute(_REMEMBER.on(connection), values)
                return text
            connection.execute(_REMEMBER_ONCE.on(connection), values)
            return str(connection.execute(_REMEMBERED, {"task": task_id, "key": key}).scalar_one())

        return json.loads(await self._database.write(work))


def values_of(task: NodeTask) -> Mapping[str, Any]:
    """All columns."""
    ladder = [[c.rung.value, c.status, c.since, c.reason, c.message] for c in task.ladder]
    return {
        "campaign": task.campaign,
        "node": task.node,
        "attempt": task.attempt,
        "wave": task.wave,
        "kind": task.kind.value,
        "state": task.state.value,
        "step": task.step,
        "ladder_json": rules.to_text(ladder),
        "code": task.code,
        "message": task.message,
        "updated_at": task.updated_at,
    }


def _task(row: sa.Row[Any]) -> NodeTask:
    values = row._asdict()
    # Thousands of tasks have the same few words in them.
    values |= {key: intern(values[key]) for key in ("campaign", "step", "message")}
    ladder = tuple(Condition(Rung(rung), *rest) for rung, *rest in json.loads(values.pop("ladder_json", "[]")))
    state = TaskState(values.pop("state"))
    kind = TaskKind(values.pop("kind"))
    return NodeTask(**values, ladder=ladder, state=state, kind=kind)
