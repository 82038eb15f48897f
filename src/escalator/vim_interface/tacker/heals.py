"""How Tacker answers: it takes back the alarm of an instance, deletes the instance, and makes another one elsewhere.

A notice is answered when the alarms of all its instances were taken back and the instances have left their node. Where
they take longer than the time to reply, their alarms are the answer: Tacker has begun. One alarm that is not taken back,
or that comes again for the same instance, is no answer, and what follows is silence.

What was told and taken back stands in storage; kept in memory is only which notices are nearly answered. The cloud is asked in
tasks of their own: it may be slow, and other VNF managers' deadlines do not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from escalator.model.alarm import Alarm
from escalator.model.clock import Clock
from escalator.model.errors import EscalatorError
from escalator.model.notice import Notice, Reply
from escalator.storage.port import Alarms
from escalator.vim_interface.dialect import Fetched
from escalator.vim_interface.negotiation import OPEN

Present = Callable[[str], Awaitable[Collection[str]]]
"""Ids of the instances on a node now, from the cloud."""
LOOK_S = 5.0
"""Pause between looks at a node that its instances are leaving: one question to the cloud each."""
MARGIN_S = 2.0
"""How long before the deadline an answer is given that waited for instances to leave."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an instance stands with its VNF manager."""

    live: tuple[Alarm, ...]
    """Its alarms, newest first."""
    released: bool
    """Whether it was told in this turn of the node, and has no alarm any more."""


class Heals:
    """Notices whose instances are leaving, each followed by a task. Set `on_reply` to hear of answers as they come."""

    def __init__(self, alarms: Alarms, clock: Clock, present: Present) -> None:
        self._alarms = alarms
        self._clock = clock
        self._present = present
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._replies: dict[str, Fetched] = {}
        self.on_reply: Callable[[], None] = lambda: None

    async def standings(self, notice: Notice) -> Mapping[str, Standing]:
        """Return where each instance of a notice stands."""
        found: dict[str, list[Alarm]] = {resource.resource_id: [] for resource in notice.resources}
        projects = {resource.resource_id: resource.project_id for resource in notice.resources}
        for alarm in await self._alarms.of_servers(found):
            # What another project registered for the instance is nobody's word about it.
            if alarm.project == projects[alarm.server]:
                found[alarm.server].append(alarm)
        return {server: _standing(alarms, turn_of(notice)) for server, alarms in found.items()}

    async def look_at(self, notice: Notice) -> None:
        """Wait for the instances of a notice to leave when all their alarms were taken back."""
        if notice.state not in OPEN or notice.reply_token is None or not await self._all_released(notice):
            return
        known = self._leaving.pop(notice.id, None)
        if known is not None:
            known.cancel()
        task = self._leaving[notice.id] = asyncio.create_task(self._follow(notice, notice.reply_token))
        task.add_done_callback(lambda ended: self._ended(notice.id, ended))

    def replies(self) -> Sequence[Fetched]:
        """Answers that are complete and not taken yet."""
        return tuple(self._replies.values())

    def taken(self, reply: Fetched) -> None:
        """The answer is in the inbox."""
        self._replies.pop(reply.reference, None)

    async def close(self) -> None:
        """End what runs."""
        tasks = list(self._leaving.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, notice_id: str, task: asyncio.Task[None]) -> None:
        if self._leaving.get(notice_id) is task:
            del self._leaving[notice_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("vim.failed", kind="heal", object_id=notice_id, message=f"{type(error).__name__}: {error}")

    async def _follow(self, notice: Notice, token: str) -> None:
        """Look until the instances have left, or the time to reply is nearly over; end without a word when one is back."""
        last_at = (notice.reply_by or self._clock.now()) - MARGIN_S
        while not await self._have_left(notice, last_at - self._clock.now()):
            if not await self._all_released(notice):
                return
            left_s = last_at - self._clock.now()
            if left_s <= 0:
                break
            await self._clock.sleep(min(LOOK_S, left_s))
        self._replies[notice.id] = Fetched(token, _answer(notice), notice.id)
        self.on_reply()

    async def _all_released(self, notice: Notice) -> bool:
        return all(standing.released for standing in (await self.standings(notice)).values())

    async def _have_left(self, notice: Notice, within_s: float) -> bool:
        """Whether no instance of the notice is on its node; False where the cloud does not say so in that time."""
        look = asyncio.ensure_future(self._seen_leaving(notice))
        timer = asyncio.ensure_future(self._clock.sleep(max(0.0, within_s)))
        try:
            await asyncio.wait((look, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            if not look.done():
                look.cancel()
        return look.done() and not look.cancelled() and look.result()

    async def _seen_leaving(self, notice: Notice) -> bool:
        try:
            here = set(await self._present(notice.node or ""))
        except EscalatorError as error:
            _log.warning("tacker.not-seen", object_id=notice.id, node=notice.node, code=error.code.value, message=error.message)
            return False
        return not any(resource.resource_id in here for resource in notice.resources)


def turn_of(notice: Notice) -> str:
    """Return the id of the node task that a notice belongs to: the same in all rounds of asking."""
    return (notice.task or notice.id).partition("~")[0]


def _standing(alarms: Sequence[Alarm], turn: str) -> Standing:
    live = tuple(alarm for alarm in reversed(alarms) if alarm.ended_at is None)
    return Standing(live, not live and any(alarm.turn == turn for alarm in alarms))


def _answer(notice: Notice) -> Reply:
    return Reply(result="ACK", instances={resource.resource_id: "OWN_ACTION" for resource in notice.resources})
