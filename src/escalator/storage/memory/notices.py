"""Outbox and inbox in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from escalator.model.notice import Notice, NoticeState, Reply
from escalator.model.progress import Event
from escalator.storage import rules
from escalator.storage.memory.events import MemoryEvents


class MemoryNotices:
    """Notices by id, with indexes for the questions that are asked often."""

    def __init__(self, events: MemoryEvents) -> None:
        self._events = events
        self._rows: dict[str, Notice] = {}
        self._tokens: dict[str, str] = {}
        self._tasks: dict[str, list[str]] = {}
        self._pending: dict[str, Notice] = {}
        self._awaited: dict[str, Notice] = {}
        self._replies: dict[str, list[Mapping[str, Any]]] = {}

    async def add(self, notices: Sequence[Notice]) -> None:
        """Put into the outbox; ids that are there already change nothing."""
        for notice in notices:
            if notice.id in self._rows:
                continue
            if notice.reply_token is not None:
                self._tokens[notice.reply_token] = notice.id
            if notice.task is not None:
                self._tasks.setdefault(notice.task, []).append(notice.id)
            self._keep(notice)

    def _keep(self, notice: Notice) -> None:
        self._rows[notice.id] = notice
        self._pending.pop(notice.id, None)
        self._awaited.pop(notice.id, None)
        if notice.state is NoticeState.PENDING:
            self._pending[notice.id] = notice
        if notice.reply_by is not None and notice.state in rules.AWAITING:
            self._awaited[notice.id] = notice

    async def get(self, notice_id: str) -> Notice | None:
        """Return the notice, or None."""
        return self._rows.get(notice_id)

    async def by_token(self, token: str) -> Notice | None:
        """Return the notice whose reply address ends with the token, or None."""
        return self._rows.get(self._tokens.get(token, ""))

    async def for_task(self, task: str) -> Sequence[Notice]:
        """Return the notices that the node task waits for, oldest first."""
        found = [self._rows[notice_id] for notice_id in self._tasks.get(task, ())]
        return sorted(found, key=_age)

    async def awaiting(self, task: str) -> bool:
        """Tell whether an answer to any of them is still awaited."""
        return any(self._rows[notice_id].state in rules.AWAITING for notice_id in self._tasks.get(task, ()))

    async def list(
        self, campaign: str | None = None, limit: int = 1000, *, given_up: bool = False, about: Sequence[str] = ()
    ) -> Sequence[Notice]:
        """Return up to `limit` notices, newest first; `given_up`: only those of the campaign that could not be delivered.

        `about`: only those of the campaign that ask about an instance with one of these ids, or of one of these projects.
        """
        every = campaign is None and not (given_up or about)
        found = (row for row in self._rows.values() if every or row.campaign == campaign)
        if about:
            found = (row for row in found if rules.asks_about(row, about))
        if given_up:
            found = (row for row in found if row.state is NoticeState.UNDELIVERABLE)
        return sorted(found, key=_age, reverse=True)[:limit]

    async def due(self, now: float, limit: int = 100, to: str | None = None) -> Sequence[Notice]:
        """Return pending notices whose next attempt is due, the longest due first; those to one receiver by their age."""
        found = [row for row in self._pending.values() if row.next_attempt_at <= now]
        if to is not None:
            return sorted((row for row in found if row.vnfm == to), key=_age)[:limit]
        return sorted(found, key=lambda row: (row.next_attempt_at, row.id))[:limit]

    async def expired(self, now: float, limit: int = 100, to: str | None = None) -> Sequence[Notice]:
        """Return notices that may still be answered and whose `reply_by` is not after `now`, oldest first; `to` one receiver."""
        awaited = [row for row in self._awaited.values() if to is None or row.vnfm == to]
        found = [(row.reply_by, row.id, row) for row in awaited if row.reply_by is not None and row.reply_by <= now]
        return [row for *_, row in sorted(found, key=lambda entry: entry[:2])[:limit]]

    async def update(
        self, notice_id: str, expected: Sequence[NoticeState], events: Sequence[Event] = (), **changes: object
    ) -> Notice | None:
        """Change a notice that is in one of the expected states, and append the events; None when it is not, or is unknown."""
        row = self._rows.get(notice_id)
        if row is None or row.state not in expected:
            return None
        fields: dict[str, Any] = changes
        changed = replace(row, **fields)
        self._keep(changed)
        self._events.extend(events)
        return changed

    async def answer(self, notice_id: str, expected: Sequence[NoticeState], at: float, reply: Reply) -> Notice | None:
        """Let the reply be the answer, and append it to the inbox; None when the notice is not in an expected state."""
        changes: dict[str, Any] = {"state": NoticeState.ANSWERED, "reply": reply, "answered_at": at}
        row = await self.update(notice_id, expected, **changes)
        if row is not None:
            await self.record_reply(notice_id, at, reply, rules.ACCEPTED)
        return row

    async def record_reply(self, notice_id: str, at: float, reply: Reply, verdict: str) -> None:
        """Append to the inbox; raises NotFoundError when there is no such notice."""
        if notice_id not in self._rows:
            raise rules.no_notice(notice_id)
        record = rules.reply_record(at, rules.plain_reply(reply), verdict)
        self._replies.setdefault(notice_id, []).append(record)

    async def replies(self, notice_id: str) -> Sequence[Mapping[str, Any]]:
        """Return `{at, verdict, reply}` of every reply, in order of arrival."""
        return [*self._replies.get(notice_id, ())]


def _age(notice: Notice) -> tuple[float, str]:
    return notice.created_at, notice.id
