"""Outbox and inbox in a database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningUpdate

from escalator.model.notice import Notice, NoticeState, Reply
from escalator.model.progress import Event
from escalator.storage import rules
from escalator.storage.engine import Database
from escalator.storage.sql.events import insert_events
from escalator.storage.sql.notice_rows import columns_of, notice_of, values_of
from escalator.storage.sql.upsert import insert_or_keep
from escalator.storage.tables import notices as table
from escalator.storage.tables import replies

_ADD = insert_or_keep(table)
_ALL = sa.select(table)
_GET = _ALL.where(table.c.id == sa.bindparam("id"))
_BY_TOKEN = _ALL.where(table.c.reply_token == sa.bindparam("token"))
_FOR_TASK = _ALL.where(table.c.task == sa.bindparam("task")).order_by(table.c.created_at, table.c.id)
_AWAITING = (
    sa.select(table.c.id)
    .where(table.c.task == sa.bindparam("task"), table.c.state.in_([state.value for state in rules.AWAITING]))
    .limit(1)
)
_LIST = _ALL.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(sa.bindparam("limit"))
_LIST_CAMPAIGN = _LIST.where(table.c.campaign == sa.bindparam("campaign"))
_GIVEN_UP = _LIST_CAMPAIGN.where(table.c.state == NoticeState.UNDELIVERABLE.value)
_PENDING = _ALL.where(table.c.state == NoticeState.PENDING.value, table.c.next_attempt_at <= sa.bindparam("now"))
_DUE = _PENDING.order_by(table.c.next_attempt_at, table.c.id).limit(sa.bindparam("limit"))
_DUE_TO = (
    _PENDING.where(table.c.vnfm == sa.bindparam("vnfm")).order_by(table.c.created_at, table.c.id).limit(sa.bindparam("limit"))
)
_EXPIRED = (
    _ALL.where(table.c.state.in_([state.value for state in rules.AWAITING]), table.c.reply_by <= sa.bindparam("now"))
    .order_by(table.c.reply_by, table.c.id)
    .limit(sa.bindparam("limit"))
)
_EXPIRED_TO = _EXPIRED.where(table.c.vnfm == sa.bindparam("vnfm"))
_RETURNED = tuple(table.c)
_RECORD = replies.insert()
_REPLIES = (
    sa.select(replies.c.at, replies.c.reply_json, replies.c.verdict)
    .where(replies.c.notice == sa.bindparam("notice"))
    .order_by(replies.c.seq)
)


@lru_cache(maxsize=64)
def _about(count: int) -> sa.Select[Any]:
    """Those of a campaign that ask, and in whose resources one of so many texts stands: found without reading the others."""
    text = table.c.resources_json
    named = [sa.func.replace(text, sa.bindparam(f"about_{number}"), "") != text for number in range(count)]
    return _LIST_CAMPAIGN.where(table.c.reply_token.is_not(None), sa.or_(*named))


@lru_cache(maxsize=256)
def _change(columns: tuple[str, ...], states: int) -> ReturningUpdate[Any]:
    """Change these columns of a notice that is in one of so many states. To make the statement costs more than to run it."""
    expected: list[sa.BindParameter[str]] = [sa.bindparam(f"expected_{number}") for number in range(states)]
    changed = table.update().where(table.c.id == sa.bindparam("key"), table.c.state.in_(expected))
    return changed.values({name: sa.bindparam(f"new_{name}") for name in columns}).returning(*_RETURNED)


def _changing(
    notice_id: str, expected: Sequence[NoticeState], changes: Mapping[str, object]
) -> tuple[ReturningUpdate[Any], Mapping[str, Any]]:
    """The statement with its values."""
    columns = columns_of(changes)
    values = {f"new_{name}": value for name, value in columns.items()}
    values |= {f"expected_{number}": state.value for number, state in enumerate(expected)}
    return _change(tuple(columns), len(expected)), {"key": notice_id, **values}


class SqlNotices:
    """Notices by id, and the replies to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, notices: Sequence[Notice]) -> None:
        """Put into the outbox; ids that are there already change nothing."""
        if notices:
            values = [values_of(notice) for notice in notices]
            await self._database.write(lambda connection: connection.execute(_ADD.on(connection), values).close())

    async def get(self, notice_id: str) -> Notice | None:
        """Return the notice, or None."""
        return await self._one(_GET, {"id": notice_id})

    async def by_token(self, token: str) -> Notice | None:
        """Return the notice whose reply address ends with the token, or None."""
        return await self._one(_BY_TOKEN, {"token": token})

    async def for_task(self, task: str) -> Sequence[Notice]:
        """Return the notices that the node task waits for, oldest first."""
        return await self._many(_FOR_TASK, {"task": task})

    async def awaiting(self, task: str) -> bool:
        """Tell whether an answer to any of them is still awaited."""
        values = {"task": task}
        return await self._database.read(lambda connection: connection.execute(_AWAITING, values).first() is not None)

    async def list(
        self, campaign: str | None = None, limit: int = 1000, *, given_up: bool = False, about: Sequence[str] = ()
    ) -> Sequence[Notice]:
        """Return up to `limit` notices, newest first; `given_up`: only those of the campaign that could not be delivered.

        `about`: only those of the campaign that ask about an instance with one of these ids, or of one of these projects.
        """
        if about:
            texts = {f"about_{number}": rules.to_text(one) for number, one in enumerate(about)}
            found = await self._many(_about(len(about)), {"campaign": campaign, "limit": limit, **texts})
            return [notice for notice in found if rules.asks_about(notice, about)]
        query = _GIVEN_UP if given_up else _LIST if campaign is None else _LIST_CAMPAIGN
        return await self._many(query, {"campaign": campaign, "limit": limit})

    async def due(self, now: float, limit: int = 100, to: str | None = None) -> Sequence[Notice]:
        """Return pending notices whose next attempt is due, the longest due first; those to one receiver by their age."""
        if to is not None:
            return await self._many(_DUE_TO, {"now": now, "limit": limit, "vnfm": to})
        return await self._many(_DUE, {"now": now, "limit": limit})

    async def expired(self, now: float, limit: int = 100, to: str | None = None) -> Sequence[Notice]:
        """Return notices that may still be answered and whose `reply_by` is not after `now`, oldest first; `to` one receiver."""
        if to is not None:
            return await self._many(_EXPIRED_TO, {"now": now, "limit": limit, "vnfm": to})
        return await self._many(_EXPIRED, {"now": now, "limit": limit})

    async def update(
        self, notice_id: str, expected: Sequence[NoticeState], events: Sequence[Event] = (), **changes: object
    ) -> Notice | None:
        """Change a notice that is in one of the expected states, and append the events; None when it is not, or is unknown."""
        statement, values = _changing(notice_id, expected, changes)

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            row = connection.execute(statement, values).one_or_none()
            if row is not None:
                insert_events(connection, events)
            return row

        row = await self._database.write(work)
        return None if row is None else notice_of(row)

    async def answer(self, notice_id: str, expected: Sequence[NoticeState], at: float, reply: Reply) -> Notice | None:
        """Let the reply be the answer, and append it to the inbox; None when the notice is not in an expected state."""
        changes = {"state": NoticeState.ANSWERED, "reply": reply, "answered_at": at}
        statement, values = _changing(notice_id, expected, changes)
        record = {"notice": notice_id, "at": at, "verdict": rules.ACCEPTED, "reply_json": values["new_reply_json"]}

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            row = connection.execute(statement, values).one_or_none()
            if row is not None:
                connection.execute(_RECORD, record)
            return row

        row = await self._database.write(work)
        return None if row is None else notice_of(row)

    async def record_reply(self, notice_id: str, at: float, reply: Reply, verdict: str) -> None:
        """Append to the inbox; raises NotFoundError when there is no such notice."""
        values = {"notice": notice_id, "at": at, "verdict": verdict, "reply_json": reply.model_dump_json()}

        def work(connection: sa.Connection) -> None:
            try:
                connection.execute(_RECORD, values)
            except IntegrityError as error:
                raise rules.no_notice(notice_id) from error

        await self._database.write(work)

    async def replies(self, notice_id: str) -> Sequence[Mapping[str, Any]]:
        """Return `{at, verdict, reply}` of every reply, in order of arrival."""
        rows = await self._database.read(lambda connection: connection.execute(_REPLIES, {"notice": notice_id}).all())
        return [rules.reply_record(row.at, json.loads(row.reply_json), row.verdict) for row in rows]

    async def _one(self, statement: sa.Select[Any], values: Mapping[str, Any]) -> Notice | None:
        row = await self._database.read(lambda connection: connection.execute(statement, values).one_or_none())
        return None if row is None else notice_of(row)

    async def _many(self, statement: sa.Select[Any], values: Mapping[str, Any]) -> Sequence[Notice]:
        rows = await self._database.read(lambda connection: connection.execute(statement, values).all(), long=True)
        return [notice_of(row) for row in rows]
