"""How Tacker answers: it takes back the alarm of an instance, deletes the instance, and makes another one elsewhere.

A notice is answered when the alarms of all its instances were taken back and the instances have left their node. Where
they take longer than the time to reply, their alarms are the answer: Tacker has begun. An instance that was told and has left
counts as answered about although its alarm stands: Tacker does not repeat a call that was lost. An instance that is still there
with its alarm, or one whose alarm comes again, is no answer, and what follows is silence.

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
Known = Callable[[str], Awaitable[object | None]]
"""What the cloud knows of an instance; None when it has it no more."""
LOOK_S = 5.0
"""Pause between looks at a node that its instances are leaving: one question to the cloud each."""
WATCH_S = 30.0
"""The same while not all alarms were taken back: most of the time Tacker has not begun, or a call of its is under way."""
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
    told: bool
    """Whether it was told in this turn of the node."""


class Heals:
    """Notices whose instances are leaving, each followed by a task. Set `on_reply` to hear of answers as they come."""

    def __init__(self, alarms: Alarms, clock: Clock, present: Present, known: Known) -> None:
        self._alarms = alarms
        self._clock = clock
        self._present = present
        self._known = known
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
        """Wait for the instances of a notice to leave when all were told; look at once when all their alarms were taken back."""
        if notice.state not in OPEN or notice.reply_token is None:
            return
        standings = (await self.standings(notice)).values()
        released = all(standing.released for standing in standings)
        if not all(standing.told for standing in standings) or (notice.id in self._leaving and not released):
            return
        known = self._leaving.pop(notice.id, None)
        if known is not None:
            known.cancel()
        follow = self._follow(notice, notice.reply_token, 0.0 if released else WATCH_S)
        task = self._leaving[notice.id] = asyncio.create_task(follow)
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

    async def _follow(self, notice: Notice, token: str, pause_s: float) -> None:
        """Look until the instances have left, or the time to reply is nearly over; end without a word when that is no answer."""
        last_at = (notice.reply_by or self._clock.now()) - MARGIN_S
        while True:
            left_s = last_at - self._clock.now()
            # The last look is early enough for the cloud to say something.
            await self._clock.sleep(max(0.0, min(pause_s, left_s - LOOK_S if left_s > LOOK_S else left_s)))
            here = await self._still_here(notice, last_at - self._clock.now())
            standings = await self.standings(notice)
            waits = {server for server, standing in standings.items() if not standing.released}
            over = self._clock.now() >= last_at
            if not all(standing.told for standing in standings.values()) or (over and here & waits):
                return
            if over or not here:
                break
            pause_s = WATCH_S if waits else LOOK_S
        await self._end_lost({server: standings[server] for server in waits})
        self._replies[notice.id] = Fetched(token, _answer(notice), notice.id)
        self.on_reply()

    async def _still_here(self, notice: Notice, within_s: float) -> set[str]:
        """Which instances of the notice are on its node; all of them where the cloud does not say so in that time."""
        look = asyncio.ensure_future(self._seen(notice))
        timer = asyncio.ensure_future(self._clock.sleep(max(0.0, within_s)))
        try:
            await asyncio.wait((look, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            if not look.done():
                look.cancel()
        ours = {resource.resource_id for resource in notice.resources}
        return ours & look.result() if look.done() and not look.cancelled() else ours

    async def _seen(self, notice: Notice) -> set[str]:
        try:
            return set(await self._present(notice.node or ""))
        except EscalatorError as error:
            _log.warning("tacker.not-seen", object_id=notice.id, node=notice.node, code=error.code.value, message=error.message)
            return {resource.resource_id for resource in notice.resources}

    async def _end_lost(self, standings: Mapping[str, Standing]) -> None:
        """End the alarms that nobody took back of instances that the cloud has no more: they would be kept for ever."""
        for server, standing in standings.items():
            try:
                gone = await self._known(server) is None
            except EscalatorError:
                gone = False  # what cannot be told now is no reason to keep an answer back
            for alarm in standing.live if gone else ():
                await self._alarms.end(alarm.id, self._clock.now())
                _log.info("alarm.ended", object_id=alarm.id, instance=server, notice=alarm.notice)


def turn_of(notice: Notice) -> str:
    """Return the id of the node task that a notice belongs to: the same in all rounds of asking."""
    return (notice.task or notice.id).partition("~")[0]


def _standing(alarms: Sequence[Alarm], turn: str) -> Standing:
    live = tuple(alarm for alarm in reversed(alarms) if alarm.ended_at is None)
    released = not live and any(alarm.turn == turn for alarm in alarms)
    return Standing(live, released, released or any(alarm.turn == turn and alarm.told_at is not None for alarm in live))


def _answer(notice: Notice) -> Reply:
    return Reply(result="ACK", instances={resource.resource_id: "OWN_ACTION" for resource in notice.resources})
