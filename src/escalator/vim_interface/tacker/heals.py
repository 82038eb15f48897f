"""How Tacker answers: it takes back the alarm of an instance, deletes the instance, and makes another one elsewhere.

A notice is answered when the alarms of all its instances were taken back and the instances have left their node. Where
they take longer than the time to reply, their alarms are the answer: Tacker has begun. One alarm that is not taken back,
or that comes again for the same instance, is no answer, and what follows is silence.

What was told and taken back stands in storage; kept in memory is only which notices are nearly answered.
"""

from __future__ import annotations

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


@dataclass(slots=True)
class _Leaving:
    notice: Notice
    token: str
    next_look: float


class Heals:
    """Notices whose instances are leaving. Set `on_change` to hear that there is one more."""

    def __init__(self, alarms: Alarms, clock: Clock, present: Present) -> None:
        self._alarms = alarms
        self._clock = clock
        self._present = present
        self._leaving: dict[str, _Leaving] = {}
        self.on_change: Callable[[], None] = lambda: None

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
        self._leaving[notice.id] = _Leaving(notice, notice.reply_token, self._clock.now())
        self.on_change()

    def next_at(self) -> float | None:
        """Unix seconds of the next look; None while nothing is waited for."""
        return min((leaving.next_look for leaving in self._leaving.values()), default=None)

    async def answers(self, now: float) -> Sequence[Fetched]:
        """Answers that are complete now; each is offered until it is forgotten."""
        found = []
        for leaving in [leaving for leaving in self._leaving.values() if leaving.next_look <= now]:
            notice = leaving.notice
            if not await self._all_released(notice):
                self.forget(notice.id)
                continue
            last_s = (notice.reply_by or now) - MARGIN_S
            if now >= last_s or await self._all_left(notice):
                found.append(Fetched(leaving.token, _answer(notice), notice.id))
            else:
                leaving.next_look = min(now + LOOK_S, last_s)
        return found

    def forget(self, notice_id: str) -> None:
        """Nothing of the notice is waited for any more."""
        self._leaving.pop(notice_id, None)

    async def _all_released(self, notice: Notice) -> bool:
        return all(standing.released for standing in (await self.standings(notice)).values())

    async def _all_left(self, notice: Notice) -> bool:
        """Whether no instance of the notice is on its node; False where the cloud cannot say."""
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
