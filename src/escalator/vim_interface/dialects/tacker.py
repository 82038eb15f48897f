"""The dialect of Tacker's v2 API: a fault notification for each instance, at the address that its alarm names.

Tacker then heals the instance: it deletes it and makes another one. There is no lead time and no refusal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from escalator.model.alarm import Alarm
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.notice import Notice, NoticeType, Vnfm
from escalator.storage.port import Alarms
from escalator.vim_interface.dialect import Fetched
from escalator.vim_interface.dialects.http import Http, failure
from escalator.vim_interface.tacker.heals import Heals, Standing, turn_of
from escalator.vim_interface.tacker.messages import is_below, notification

SHOWN = 5
"""How many instances a message names before it counts the rest."""


class Tacker:
    """Speaks to Tacker. `fault_id` is the word that notifications carry; None = the first that the alarm names."""

    def __init__(self, http: Http, alarms: Alarms, heals: Heals, clock: Clock, fault_id: str | None = None) -> None:
        self._http = http
        self._alarms = alarms
        self._heals = heals
        self._clock = clock
        self._fault_id = fault_id

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """POST a notification for each instance that was not told yet; nothing for what Tacker has no word for.

        Raises TemporaryError (`VIM_NO_ALARM`), and tells none of the rest, when one has no alarm: an instance that was made
        a moment ago gets it soon. Raises TemporaryError or PermanentError with the reason when a notification is not taken.
        """
        if notice.type is NoticeType.SCALE_IN_REQUESTED:
            raise PermanentError(
                Code.VIM_REGISTRATION, f"VNF manager {vnfm.name} cannot be asked for room in the dialect tacker."
            )
        if notice.type is not NoticeType.HOST_MAINTENANCE_UPCOMING:
            return
        chosen = {server: self._choose(vnfm, one) for server, one in (await self._heals.standings(notice)).items()}
        missing = [server for server, alarm in chosen.items() if alarm is None]
        if missing:
            raise _without_alarm(vnfm, missing)
        for alarm in _to_tell(chosen, notice):
            await self._tell(vnfm, notice, alarm)
        await self._heals.look_at(notice)

    async def resume(self, vnfm: Vnfm, notice: Notice) -> None:  # noqa: ARG002 - the port's signature
        """Nothing is sent again; what Tacker took back while nobody was there is its answer."""
        await self._heals.look_at(notice)

    async def test(self, vnfm: Vnfm) -> None:
        """Look whether the address answers: it takes notifications only, so that any answer but a server's error will do."""
        status = await self._http.send("GET", vnfm, None, {})
        if status >= 500:
            raise TemporaryError(Code.VIM_REFUSED, f"VNF manager {vnfm.name} answered {status}.")

    def next_reply_at(self) -> float | None:
        """At once, when there is one."""
        return self._clock.now() if self._heals.replies() else None

    async def fetch(self, now: float) -> Sequence[Fetched]:  # noqa: ARG002 - the port's signature
        """Return the answers that are not taken yet."""
        return self._heals.replies()

    async def taken(self, reply: Fetched) -> None:
        """The answer is in the inbox."""
        self._heals.taken(reply)

    async def close(self) -> None:
        """End what is waited for, and close the connections."""
        await self._heals.close()
        await self._http.close()

    def _choose(self, vnfm: Vnfm, standing: Standing) -> Alarm | bool | None:
        """The newest alarm that can be used now; True for an instance that Tacker took over, None without any."""
        usable = (a for a in standing.live if is_below(a.fault_action, vnfm.spec.callback_uri) and self._word(a) is not None)
        return standing.released or next(usable, None)

    def _word(self, alarm: Alarm) -> str | None:
        if self._fault_id is None:
            return alarm.fault_ids[0]
        return self._fault_id if self._fault_id in alarm.fault_ids else None

    async def _tell(self, vnfm: Vnfm, notice: Notice, alarm: Alarm) -> None:
        # The intent is written first: an alarm that is taken back before the answer has come is an answer all the same.
        if await self._alarms.mark(alarm.id, notice=notice.id, turn=turn_of(notice), told_at=None) is None:
            raise _without_alarm(vnfm, [alarm.server])
        body = json.dumps(notification(notice, alarm, self._word(alarm) or "")).encode()
        failed = failure(vnfm.name, await self._http.send("POST", vnfm, body, {}, uri=alarm.fault_action))
        if failed is not None:
            raise failed
        await self._alarms.mark(alarm.id, told_at=self._clock.now())


def _to_tell(chosen: Mapping[str, Alarm | bool | None], notice: Notice) -> Iterator[Alarm]:
    for alarm in chosen.values():
        if isinstance(alarm, Alarm) and not (alarm.notice == notice.id and alarm.told_at is not None):
            yield alarm


def _without_alarm(vnfm: Vnfm, servers: Sequence[str]) -> TemporaryError:
    more = f" and {len(servers) - SHOWN} more" if len(servers) > SHOWN else ""
    message = f"VNF manager {vnfm.name} has no alarm for {', '.join(servers[:SHOWN])}{more}, so that it cannot be told."
    return TemporaryError(Code.VIM_NO_ALARM, message)
