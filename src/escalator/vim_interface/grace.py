"""Time in which nobody could take a reply is no silence: after a start, or once storage answers again, deadlines leave room."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from escalator.model.clock import Clock
from escalator.model.errors import EscalatorError
from escalator.model.notice import Notice, NoticeState
from escalator.model.progress import Event
from escalator.storage.port import Store
from escalator.storage.rules import OCCUPYING
from escalator.vim_interface.negotiation import FIRST_REPLY_BY, is_deferred

_FAR = 1e12
"""Later than any deadline, Unix seconds."""
BEAT_S = 2.0
"""How often a server looks whether its storage answers."""
GAP_S = 15.0
"""A server that has not looked for so long was stopped, or its machine was."""
_ALL = 1_000_000
"""More notices than can be open."""
_RECENT = 5000
"""Newest notices of a campaign that are looked at for deferrals: more than are ever open at once."""


class Grace:
    """What one server gives: no deadline of an open notice passes before `grace_s` (seconds) after its start.

    Nor before that time after an interruption: storage that did not answer, a process that stood still.
    """

    def __init__(self, store: Store, clock: Clock, grace_s: float) -> None:
        self._store = store
        self._clock = clock
        self._grace_s = grace_s
        self._given = False
        self._seen_at: float | None = None
        """When storage was seen to answer, Unix seconds; null as long as nobody watches it."""
        self._missed = False
        self._lock = asyncio.Lock()

    async def give(self) -> None:
        """Move deadlines, before the first reply is judged; a second call does nothing.

        Replies that were turned away meanwhile come again, as VNF managers repeat them; what nobody was told of yet gets the
        whole time that was meant for it. The bound on all DEFERs together stays where it was.
        """
        if self._given:
            return
        self._given = True
        await self._extend_all("the server was started anew")

    async def watch(self) -> None:
        """Look at storage until cancelled, so that it is known when it did not answer."""
        self._seen_at = self._clock.now()
        while True:
            try:
                await self._store.events.last()
                await self.judge()
            except EscalatorError:
                self.miss()
            await self._clock.sleep(BEAT_S)

    def miss(self) -> None:
        """Storage did not answer: a reply may have been turned away."""
        self._missed = True

    async def judge(self) -> None:
        """To be called before a reply is late, or a VNF manager silent, by the clock. Raises TemporaryError without storage."""
        async with self._lock:
            now = self._clock.now()
            if self._seen_at is None:
                return
            if self._missed:
                await self._extend_all("the database did not answer meanwhile")
            elif now - self._seen_at > GAP_S:
                await self._extend_all(f"the server stood still for {now - self._seen_at:.0f} s")
            self._seen_at, self._missed = now, False

    async def _extend_all(self, why: str) -> None:
        now = self._clock.now()
        for notice in await awaited(self._store):
            await _extend(self._store, notice, now, self._grace_s, why)


async def awaited(store: Store) -> list[Notice]:
    """All notices to which an answer may still come, with those whose DEFER the engine has not taken up."""
    return [*await store.notices.expired(_FAR, _ALL), *await _deferred(store)]


async def _deferred(store: Store) -> list[Notice]:
    """Notices whose DEFER the engine has not taken up yet: by then the time that it names may be over."""
    names = [row.name for row in await store.campaigns.list() if row.state in OCCUPYING]
    found = [notice for name in names for notice in await store.notices.list(name, _RECENT)]
    return [notice for notice in found if notice.state is NoticeState.ANSWERED and is_deferred(notice)]


async def _extend(store: Store, notice: Notice, now: float, grace_s: float, why: str) -> None:
    deadline = notice.reply_by
    if deadline is None:
        return
    first = float(notice.details.get(FIRST_REPLY_BY, deadline))
    untold = notice.state is NoticeState.PENDING and not notice.attempts and not is_deferred(notice)
    least = now + (max(grace_s, first - notice.created_at) if untold else grace_s)
    if deadline >= least:
        return
    changes = {
        "reply_by": least,
        "action_at": None if notice.action_at is None else max(notice.action_at, least),
        "details": {**notice.details, FIRST_REPLY_BY: str(first)},
    }
    event = extended(replace(notice, reply_by=least), now, why)
    await store.notices.update(notice.id, (notice.state,), (event,), **changes)


def extended(notice: Notice, now: float, why: str) -> Event:
    """The line of the history: until when the notice may be replied to is later than its VNF manager was told."""
    message = f"{notice.vnfm} has time to reply for another {(notice.reply_by or now) - now:g} s: {why}"
    event = Event(at=now, action="notice.extended", campaign=notice.campaign, node=notice.node, object_id=notice.id)
    return replace(event, message=message)
