"""Deliveries to orchestrators: one after another, the oldest first.

What cannot be delivered now is tried again, and nothing newer goes out before it: an orchestrator that hears late hears
everything, as it happened. What it refuses, or what grew too old, is given up, and the history says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, TemporaryError
from escalator.model.notice import Notice, NoticeState
from escalator.model.progress import Event
from escalator.settings import Vim as Limits
from escalator.storage.port import Store
from escalator.vim_interface.agenda import Agenda, Entry

AT_ONCE = 50
"""Notices that are read from storage at a time."""
_FAR = 1e12
"""Later than any time, Unix seconds: what is not due yet keeps back what is."""
_MOST_DOUBLINGS = 20
"""Of the pause between two attempts; it has long met its limit then, and a number that doubles for days is none any more."""

_log = structlog.get_logger()


class InOrder:
    """One line of notices per orchestrator. Storage is the truth; memory knows only whose line moves."""

    def __init__(
        self, store: Store, agenda: Agenda, clock: Clock, limits: Limits, hand_over: Callable[[Notice], Awaitable[object]]
    ) -> None:
        self._notices = store.notices
        self._agenda = agenda
        self._clock = clock
        self._limits = limits
        self._hand_over = hand_over
        self._moving: set[str] = set()
        self._more: set[str] = set()

    def schedule(self, orchestrator: str, when: float) -> None:
        """See to an orchestrator's line then."""
        self._agenda.put(when, Entry("in-order", orchestrator))

    async def move(self, orchestrator: str, at: float) -> None:
        """Deliver what is due by now. Raises what storage raises."""
        if orchestrator in self._moving:
            # What was added meanwhile may have been missed by who is at it.
            self._more.add(orchestrator)
            return
        self._moving.add(orchestrator)
        try:
            self._more.add(orchestrator)
            while orchestrator in self._more:
                self._more.discard(orchestrator)
                await self._drain(orchestrator, at)
        finally:
            self._moving.discard(orchestrator)
            self._more.discard(orchestrator)

    async def _drain(self, orchestrator: str, at: float) -> None:
        while waiting := await self._notices.due(_FAR, AT_ONCE, to=orchestrator):
            for notice in waiting:
                if notice.next_attempt_at > max(at, self._clock.now()):
                    self.schedule(orchestrator, notice.next_attempt_at)
                    return
                if not await self._settled(notice):
                    return

    async def _settled(self, notice: Notice) -> bool:
        """Whether the line goes on: the notice is delivered, or given up."""
        try:
            await self._hand_over(notice)
        except EscalatorError as error:
            return await self._failed(notice, error)
        now = self._clock.now()
        facts: dict[str, Any] = {"delivered_at": now, "attempts": notice.attempts + 1, "error": None, "error_code": None}
        said = f"{notice.vnfm} hears again: '{notice.type.word}' {now - notice.created_at:.0f} s after it was made"
        events = (self._event(notice, "delivered", None, said),) if notice.attempts else ()
        await self._notices.update(notice.id, (NoticeState.PENDING,), events, state=NoticeState.DELIVERED, **facts)
        _log.info("notice.delivered", object_id=notice.id, vnfm=notice.vnfm, campaign=notice.campaign, node=notice.node)
        return True

    async def _failed(self, notice: Notice, error: EscalatorError) -> bool:
        now, attempts = self._clock.now(), notice.attempts + 1
        facts: dict[str, Any] = {"attempts": attempts, "error_code": error.code.value, "error": error.message}
        _log.warning("notice.failed", object_id=notice.id, vnfm=notice.vnfm, attempt=attempts, code=error.code.value)
        # Who is registered no more may be a moment later, at another address.
        passing = isinstance(error, TemporaryError) or error.code is Code.VIM_NOT_FOUND
        if passing and now - notice.created_at < self._limits.or_vi.give_up_after_s:
            pause_s = min(self._limits.retry_s * 2 ** min(attempts - 1, _MOST_DOUBLINGS), self._limits.retry_max_s)
            said = f"{notice.vnfm} cannot be told '{notice.type.word}' now, and nothing after it: {error.message}"
            events = (self._event(notice, "delayed", Code.VIM_ORCHESTRATOR, said),) if attempts == 1 else ()
            await self._notices.update(notice.id, (NoticeState.PENDING,), events, next_attempt_at=now + pause_s, **facts)
            self.schedule(notice.vnfm, now + pause_s)
            return False
        said = f"{notice.vnfm} is not told '{notice.type.word}': {error.message}"
        given_up = self._event(notice, "undeliverable", Code.VIM_NOT_TOLD, said)
        await self._notices.update(notice.id, (NoticeState.PENDING,), (given_up,), state=NoticeState.UNDELIVERABLE, **facts)
        return True

    def _event(self, notice: Notice, outcome: str, code: Code | None, message: str) -> Event:
        return Event(
            at=self._clock.now(),
            action=f"notice.{outcome}",
            campaign=notice.campaign,
            node=notice.node,
            object_id=notice.id,
            outcome=outcome,
            code=None if code is None else code.value,
            message=message,
        )
