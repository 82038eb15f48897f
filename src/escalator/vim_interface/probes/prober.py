"""The prober: looks at every service at its interval while a campaign runs, and keeps when it was away.

An outage lasts from the first look that found nothing to the answer of the first that found the service again. It can have
begun one interval earlier, and ended one time-out and one interval earlier. A look that waits through the end of an outage ends
it with its answer: counted from that look's begin, it would be too short by what was waited. While the manager itself is down
nobody looks: an outage of before ends with the last look that is known, and what is found afterwards is another one. The watch
says how many looks there were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

import structlog

from escalator.model.clock import Clock
from escalator.model.errors import EscalatorError
from escalator.settings import Probe
from escalator.storage.port import OutageRow, Outages, WatchRow

LOOK_S = 2.0
"""How soon it is seen that a campaign runs, or does not any more."""
KEEP_S = 10.0
"""How often the number of looks is written down."""
MAX_OUTAGES = 1000
"""Kept of one probe in one campaign. A service that flaps more often is known well enough."""
Running = Callable[[], Awaitable[str | None]]
"""Name of the campaign that is running, or None."""
Look = Callable[[Probe], Awaitable[str | None]]

_log = structlog.get_logger()


class Prober:
    """All probes of the settings. `run` has to run."""

    def __init__(self, probes: Mapping[str, Probe], outages: Outages, clock: Clock, running: Running, look: Look) -> None:
        self._probes = probes
        self._outages = outages
        self._clock = clock
        self._running = running
        self._look = look

    async def run(self) -> None:
        """Work until cancelled; at once over where there is no probe."""
        watched: str | None = None
        watches: list[asyncio.Task[None]] = []
        try:
            while self._probes:
                campaign = await self._campaign(watched)
                if campaign != watched:
                    await _end(watches)
                    watched = campaign
                    watches = [] if campaign is None else [self._begin(campaign, name) for name in self._probes]
                await self._clock.sleep(LOOK_S)
        finally:
            await _end(watches)

    async def _campaign(self, watched: str | None) -> str | None:
        try:
            return await self._running()
        except EscalatorError as error:
            # Storage does not answer: as long as nothing else is known, what is watched is watched on.
            _log.warning("probe.trouble", code=error.code.value, message=error.message)
            return watched

    def _begin(self, campaign: str, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._watch(campaign, name))
        task.add_done_callback(partial(_say_why, name))
        return task

    async def _watch(self, campaign: str, name: str) -> None:
        course = _Course(self._outages, campaign, name, self._probes[name], self._clock.now())
        try:
            while not await course.resumed():
                await self._clock.sleep(LOOK_S)
            while True:
                began = self._clock.now()
                why = await self._look(self._probes[name])
                course.found(began, self._clock.now(), why)
                await course.keep(began)
                await self._clock.sleep(max(0.0, began + self._probes[name].interval_s - self._clock.now()))
        finally:
            await course.end(self._clock.now())


class _Course:
    """What one probe found so far in one campaign. What storage does not take is tried again with the next look."""

    def __init__(self, outages: Outages, campaign: str, name: str, probe: Probe, now: float) -> None:
        self._outages = outages
        row = WatchRow(campaign=campaign, probe=name, vnf=probe.vnf, interval_s=probe.interval_s, since=now, until=now)
        self._watch = row
        self._away: OutageRow | None = None
        self._unsaved: list[OutageRow] = []
        self._number = 0
        self._kept_at = now

    async def resumed(self) -> bool:
        """Take up what an earlier server found in the same campaign; False when storage does not tell."""
        campaign, name = self._watch.campaign, self._watch.probe
        try:
            earlier = next((row for row in await self._outages.watches(campaign) if row.probe == name), None)
            rows = [row for row in await self._outages.list(campaign) if row.probe == name]
            if earlier is not None:
                self._watch = replace(self._watch, since=earlier.since, sent=earlier.sent, failed=earlier.failed)
            seen_until = earlier.until if earlier is not None else float("-inf")
            for row in rows:
                if row.ended_at is None:
                    await self._outages.put(replace(row, ended_at=max(row.started_at, seen_until)))
            await self._outages.watch(self._watch)
        except EscalatorError as error:
            _log.warning("probe.trouble", probe=name, code=error.code.value, message=error.message)
            return False
        self._number = len(rows)
        return True

    def found(self, at: float, answered: float, why: str | None) -> None:
        """Take in one look from its begin to its end: None when the service answered."""
        watch = self._watch
        self._watch = replace(watch, until=at, sent=watch.sent + 1, failed=watch.failed + (why is not None))
        if why is not None and self._away is None and self._number < MAX_OUTAGES:
            self._number += 1
            self._away = OutageRow(campaign=watch.campaign, probe=watch.probe, started_at=at, vnf=watch.vnf, reason=why)
            self._unsaved.append(self._away)
            _log.warning("service.away", campaign=watch.campaign, object_id=watch.vnf, probe=watch.probe, message=why)
        elif why is None and self._away is not None:
            self._unsaved.append(replace(self._away, ended_at=answered))
            lasted_s = round(answered - self._away.started_at, 3)
            _log.info("service.back", campaign=watch.campaign, object_id=watch.vnf, probe=watch.probe, duration_s=lasted_s)
            self._away = None

    async def keep(self, at: float) -> None:
        """Write down what is not written yet; the number of looks now and then."""
        try:
            while self._unsaved:
                await self._outages.put(self._unsaved[0])
                del self._unsaved[0]
            if at - self._kept_at >= KEEP_S:
                await self._outages.watch(self._watch)
                self._kept_at = at
        except EscalatorError as error:
            _log.warning("probe.trouble", probe=self._watch.probe, code=error.code.value, message=error.message)

    async def end(self, at: float) -> None:
        """The campaign is over, or the server ends: a service that is away stays so in the record."""
        self._kept_at = float("-inf")
        await self.keep(at)


def _say_why(name: str, task: asyncio.Task[None]) -> None:
    """A probe that ends by itself measures nothing any more: that must be known."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("probe.failed", probe=name, message=f"{type(error).__name__}: {error}")


async def _end(watches: list[asyncio.Task[None]]) -> None:
    for watch in watches:
        watch.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
