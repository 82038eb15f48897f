"""The dispatcher: delivers what is in the outbox, watches the deadlines, and says when a task's answers are complete.

Everything is safe to repeat. A notice that was under way at a crash is delivered again with the same id; a task whose
wake-up may have been lost is woken again, and a workflow ignores the message that it no longer needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.notice import IN_ORDER, Notice, NoticeState, Reply
from escalator.model.progress import CampaignState, Event, TaskState
from escalator.settings import Vim as Limits
from escalator.storage.port import Store
from escalator.vim_interface.agenda import Agenda, Entry
from escalator.vim_interface.dialect import Dialect, Fetched, Fetching, Resuming
from escalator.vim_interface.in_order import InOrder
from escalator.vim_interface.negotiation import DEFERRED_UNTIL, OPEN, is_deferred
from escalator.vim_interface.notices import cancelling, notice_id
from escalator.vim_interface.parts import Part

Wake = Callable[[str, str, Mapping[str, str]], Awaitable[None]]
"""`wake(task, "answers", {"key": …})`; the key is the same when the same answers are reported again."""
Receive = Callable[[str, Reply | Part, float], Awaitable[object]]
"""The inbox's function for a reply: token, body, time."""

TOPIC = "answers"
LANES = 4
"""Deliveries to one VNF manager at once: enough to hide one slow answer, too few to flood it."""
_FAR = 1e12
"""Later than any deadline, Unix seconds."""
_ALL = 1_000_000
"""More notices than can be open."""
_RECENT = 5000
"""Newest notices of a campaign that are looked at for lost wake-ups; more node tasks than these are never open at once."""
_ENDED_CAMPAIGNS = frozenset({CampaignState.COMMITTED, CampaignState.ROLLED_BACK, CampaignState.RESTORED})
_ENDED_TASKS = frozenset({TaskState.DONE, TaskState.SKIPPED, TaskState.FAILED, TaskState.ROLLED_BACK})

_log = structlog.get_logger()


class Outbox:
    """One asyncio task, `run`, and short-lived ones for the deliveries. Storage is the truth; memory holds times only."""

    def __init__(
        self, store: Store, dialects: Mapping[str, Dialect], agenda: Agenda, clock: Clock, limits: Limits, wake: Wake
    ) -> None:
        self._store = store
        self._notices = store.notices
        self._dialects = dialects
        self._agenda = agenda
        self._clock = clock
        self._limits = limits
        self._wake = wake
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._under_way: set[str] = set()
        self._refused: set[str] = set()
        """Tasks that were refused since they were looked at last: by policy one refusal may be all that they wait for."""
        self._in_order = InOrder(store, agenda, clock, limits, self._hand_over)

    def schedule(self, notices: Sequence[Notice]) -> None:
        """Take up notices that were put into storage."""
        for notice in notices:
            if notice.state is NoticeState.PENDING and notice.type in IN_ORDER:
                self._in_order.schedule(notice.vnfm, notice.next_attempt_at)
            elif notice.state is NoticeState.PENDING:
                self._agenda.put(notice.next_attempt_at, Entry("deliver", notice.id, notice.vnfm))
            if notice.reply_by is not None and notice.state in OPEN:
                self._agenda.put(notice.reply_by, Entry("deadline", notice.id))

    def settled(self, notice: Notice) -> None:
        """A notice was settled: its deadline needs no watch, and its task may be complete."""
        self._agenda.drop(Entry("deadline", notice.id))
        if notice.task is None:
            return
        if notice.state is NoticeState.ANSWERED and notice.reply is not None and notice.reply.result == "NACK":
            self._refused.add(notice.task)
        self.check(notice.task)

    def forget(self, notice: Notice) -> None:
        """Neither deliver the notice nor watch its deadline."""
        self._agenda.drop(Entry("deliver", notice.id, notice.vnfm))
        self._agenda.drop(Entry("deadline", notice.id))

    def check(self, task: str) -> None:
        """Wake the task soon if all its notices are settled."""
        self._agenda.put(self._clock.now(), Entry("wake", task))

    async def run(self, receive: Receive, judge: Callable[[], Awaitable[None]], sweep_s: float | None = None) -> None:
        """Work until cancelled. `sweep_s`: how often to look for notices that another replica left in storage.

        `judge` is called before a deadline counts as passed.
        """
        self._agenda.put(self._clock.now(), Entry("sweep", "start"))
        try:
            async with asyncio.TaskGroup() as deliveries:
                while True:
                    for at, entry in await self._agenda.due():
                        if entry.kind == "deliver":
                            deliveries.create_task(self._deliver(entry, at))
                        elif entry.kind == "in-order":
                            deliveries.create_task(self._move(entry, at))
                        else:
                            await self._look(entry, at, receive, judge, sweep_s)
        finally:
            self._agenda.close()

    async def _look(
        self, entry: Entry, at: float, receive: Receive, judge: Callable[[], Awaitable[None]], sweep_s: float | None
    ) -> None:
        try:
            match entry.kind:
                case "deadline":
                    await judge()
                    await self._close(entry.key, at)
                case "wake":
                    await self._report(entry.key)
                case "fetch":
                    await self._fetch(entry.key, at, receive)
                case _:
                    await self._take_up(first=entry.key == "start")
                    if sweep_s is not None:
                        self._agenda.put(at + sweep_s, Entry("sweep", "again"))
        except EscalatorError as error:
            self._again(entry, error)

    def _again(self, entry: Entry, error: EscalatorError) -> None:
        """Storage or the engine failed: what was to be done stays on the agenda when trying again may help."""
        _log.error("vim.failed", kind=entry.kind, object_id=entry.key, code=error.code.value, message=error.message)
        if isinstance(error, TemporaryError):
            self._agenda.put(self._clock.now() + self._limits.retry_s, entry)

    async def _take_up(self, *, first: bool) -> None:
        """Find in storage what was under way: open notices, replies to fetch, and tasks that may wait for nothing."""
        self.schedule(await self._notices.due(_FAR, _ALL))
        self.schedule(await self._notices.expired(_FAR, _ALL))
        for name in self._dialects:
            self._watch_replies(name)
        if first:
            for task in sorted(await self._open_tasks()):
                for notice in await self._notices.for_task(task):
                    await self._resume(notice)
                await self._report(task)

    async def _resume(self, notice: Notice) -> None:
        """Who was told by an earlier server may need to be reminded: by the dialect, which knows."""
        if notice.state is not NoticeState.DELIVERED and not (notice.state is NoticeState.ANSWERED and is_deferred(notice)):
            return
        vnfm = await self._store.vnfms.get(notice.vnfm)
        dialect = self._dialects.get(vnfm.spec.dialect) if vnfm is not None else None
        if vnfm is None or not isinstance(dialect, Resuming):
            return
        try:
            await dialect.resume(vnfm, notice)
        except EscalatorError as error:
            _log.warning("notice.failed", object_id=notice.id, vnfm=notice.vnfm, code=error.code.value, message=error.message)

    def look(self, name: str) -> None:
        """Fetch the replies that a dialect has now."""
        self._watch_replies(name)

    async def _open_tasks(self) -> set[str]:
        """Ids, as in the notices, of the node tasks that have not ended. What follows a `~` in them is the caller's."""
        found: set[str] = set()
        for campaign in await self._store.campaigns.list():
            if campaign.state in _ENDED_CAMPAIGNS:
                continue
            running = {
                task.id for task in await self._store.tasks.list(campaign.name, ladders=False) if task.state not in _ENDED_TASKS
            }
            asked = {notice.task for notice in await self._notices.list(campaign.name, _RECENT) if notice.task is not None}
            found |= {task for task in asked if task.partition("~")[0] in running}
        return found

    async def _report(self, task: str) -> None:
        """Wake the task if it has notices and all are settled, or one of them was just refused."""
        refused = task in self._refused
        self._refused.discard(task)
        if not refused and await self._notices.awaiting(task):
            return
        notices = await self._notices.for_task(task)
        if notices and (refused or all(notice.state not in OPEN for notice in notices)):
            await self._wake(task, TOPIC, {"key": wake_key(task, notices)})

    # -- deliveries ------------------------------------------------------------------------------------------------

    async def _deliver(self, entry: Entry, at: float) -> None:
        if entry.key in self._under_way:
            return
        self._under_way.add(entry.key)
        try:
            async with self._lanes.setdefault(entry.vnfm, asyncio.Semaphore(LANES)):
                notice = await self._notices.get(entry.key)
                if notice is not None and notice.state is NoticeState.PENDING and not _is_over(notice, at):
                    await self._attempt(notice)
        except EscalatorError as error:
            self._again(entry, error)
        finally:
            self._under_way.discard(entry.key)

    async def _move(self, entry: Entry, at: float) -> None:
        try:
            await self._in_order.move(entry.key, at)
        except EscalatorError as error:
            self._again(entry, error)

    async def _attempt(self, notice: Notice) -> None:
        try:
            dialect = await self._hand_over(notice)
        except EscalatorError as error:
            await self._failed(notice, error)
        else:
            await self._delivered(notice, dialect)

    async def _hand_over(self, notice: Notice) -> str:
        """Give the notice to whom it is for; the name of the dialect."""
        vnfm = await self._store.vnfms.get(notice.vnfm)
        if vnfm is None:
            raise PermanentError(Code.VIM_NOT_FOUND, f"{notice.vnfm} is not registered any more.")
        if vnfm.spec.orchestrator is not (notice.type in IN_ORDER):
            raise PermanentError(Code.VIM_REGISTRATION, f"{notice.vnfm} is registered as something else now.")
        dialect = self._dialects.get(vnfm.spec.dialect)
        if dialect is None:
            raise PermanentError(Code.VIM_REGISTRATION, f"The dialect {vnfm.spec.dialect} is not available here.")
        await dialect.deliver(vnfm, notice)
        return vnfm.spec.dialect

    async def _delivered(self, notice: Notice, dialect: str) -> None:
        self._watch_replies(dialect)
        now = self._clock.now()
        facts: dict[str, Any] = {"delivered_at": now, "attempts": notice.attempts + 1, "error": None, "error_code": None}
        row = await self._notices.update(notice.id, (NoticeState.PENDING,), state=NoticeState.DELIVERED, **facts)
        if row is None:
            await self._overtaken(notice, facts)
        _log.info("notice.delivered", object_id=notice.id, vnfm=notice.vnfm, campaign=notice.campaign, node=notice.node)

    async def _overtaken(self, notice: Notice, facts: Mapping[str, Any]) -> None:
        """While it was handed over, the notice was answered already, or withdrawn."""
        if await self._notices.update(notice.id, (NoticeState.ANSWERED,), **facts) is None:
            withdrawn = await self._notices.update(notice.id, (NoticeState.CANCELLED,), **facts)
            if withdrawn is not None:
                await self.add([cancelling(withdrawn, self._clock.now())])

    async def add(self, notices: Sequence[Notice]) -> None:
        """Put notices into the outbox, in one transaction, and take them up. Ids that are there change nothing."""
        await self._notices.add(notices)
        self.schedule(notices)

    async def _failed(self, notice: Notice, error: EscalatorError) -> None:
        attempts = notice.attempts + 1
        pause = min(self._limits.retry_s * 2 ** (attempts - 1), self._limits.retry_max_s)
        following = self._clock.now() + pause
        facts: dict[str, Any] = {"attempts": attempts, "error_code": error.code.value, "error": error.message}
        _log.warning("notice.failed", object_id=notice.id, vnfm=notice.vnfm, attempt=attempts, code=error.code.value)
        last = attempts >= self._limits.delivery_attempts or _is_over(notice, following)
        if last or not isinstance(error, TemporaryError):
            await self._settle(notice, (NoticeState.PENDING,), NoticeState.UNDELIVERABLE, **facts)
        elif await self._notices.update(notice.id, (NoticeState.PENDING,), next_attempt_at=following, **facts):
            self._agenda.put(following, Entry("deliver", notice.id, notice.vnfm))

    # -- deadlines -------------------------------------------------------------------------------------------------

    async def _close(self, notice_id: str, at: float) -> None:
        """The deadline of a notice: silence if it was delivered, undeliverable if it never was."""
        notice = await self._notices.get(notice_id)
        if notice is None or notice.state not in OPEN or notice.reply_by is None:
            return
        if notice.reply_by > at:
            self.schedule([notice])
        elif notice.reply is not None and not is_deferred(notice):
            # A reply that came while an older DEFER was accepted: it is the answer.
            await self._settle(notice, OPEN, NoticeState.ANSWERED)
        elif notice.state is NoticeState.DELIVERED:
            await self._settle(notice, OPEN, NoticeState.SILENT)
        else:
            code = notice.error_code or Code.VIM_UNREACHABLE.value
            why = notice.error or "The notice could not be delivered before the time to reply had passed."
            await self._settle(notice, (NoticeState.PENDING,), NoticeState.UNDELIVERABLE, error_code=code, error=why)

    async def _settle(self, notice: Notice, expected: Sequence[NoticeState], state: NoticeState, **facts: Any) -> None:  # noqa: ANN401 - fields of a notice
        # In the history from the same moment on: a crash loses neither or both.
        events = (self._not_told(replace(notice, **facts)),) if state is NoticeState.UNDELIVERABLE else ()
        row = await self._notices.update(notice.id, expected, events, state=state, **facts)
        if row is not None:
            _log.info(f"notice.{state.value}", object_id=row.id, vnfm=row.vnfm, campaign=row.campaign, node=row.node)
            self.settled(row)

    def _not_told(self, notice: Notice) -> Event:
        """Who was not reached stands in the history, also where nobody waits for an answer."""
        tried = counted(notice.attempts, "attempt")
        return Event(
            at=self._clock.now(),
            action="notice.undeliverable",
            campaign=notice.campaign,
            node=notice.node,
            object_id=notice.id,
            outcome="undeliverable",
            code=notice.error_code,
            message=f"{notice.vnfm} is not told '{notice.type.word}', after {tried}: {notice.error}",
        )

    # -- replies that have to be fetched ---------------------------------------------------------------------------

    def _watch_replies(self, name: str) -> None:
        dialect = self._dialects[name]
        when = dialect.next_reply_at() if isinstance(dialect, Fetching) else None
        if when is not None:
            self._agenda.put(when, Entry("fetch", name))

    async def _fetch(self, name: str, at: float, receive: Receive) -> None:
        dialect = self._dialects[name]
        if isinstance(dialect, Fetching):
            for reply in await dialect.fetch(at):
                await self._take(dialect, reply, at, receive)
        self._watch_replies(name)

    async def _take(self, dialect: Fetching, reply: Fetched, at: float, receive: Receive) -> None:
        try:
            await receive(reply.token, reply.body, at)
        except TemporaryError:
            raise
        except EscalatorError as error:
            _log.info("reply.refused", code=error.code.value, message=error.message)
        await dialect.taken(reply)


def wake_key(task: str, notices: Sequence[Notice]) -> str:
    """Return a key for the answers as they are: the same when nothing changed since, another after a deferral."""
    return notice_id("wake", task, *(_standing(notice) for notice in notices))


def _standing(notice: Notice) -> str:
    deferred = notice.details.get(DEFERRED_UNTIL, "")
    return f"{notice.id} {notice.state} {notice.reply_by} {notice.answered_at} {deferred}".rstrip()


def _is_over(notice: Notice, at: float) -> bool:
    return notice.reply_by is not None and notice.reply_by <= at
