"""A campaign that waits for its window says so, and counts the time in which it does nothing."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.context import Pace
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.service import CampaignView
from escalator.world.world import World

THURSDAYS = {"windows": [{"days": ["thu"], "start": "03:00", "length_s": 18000, "time_zone": "Europe/Helsinki"}]}


async def _shown(more: dict[str, Any], *looks_s: float) -> tuple[list[CampaignView], list[str], float]:
    """The campaign so long after its start on Thursday 2026-01-01, midnight UTC; what it said of waiting; the plan's length."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=3, seed=1)
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}, **more}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        await sim.campaigns.create(json.dumps(document))
        plan = await sim.campaigns.plan("c")
        start = clock.now()
        await sim.campaigns.start("c")
        views = []
        for look_s in looks_s:
            await clock.sleep(start + look_s - clock.now())
            views.append(await sim.campaigns.show("c"))
        said = [e.message for e in await sim.store.events.read(0, limit=1000) if e.action == "campaign.waits"]
        return views, said, plan.totals.makespan_s


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (THURSDAYS, "waits for its window, which opens Thu 2026-01-01 03:00 (+02:00)"),
        ({"not_before": "2026-01-01T03:00:00+02:00"}, "waits for its window, which opens Thu 2026-01-01 03:00 (+02:00)"),
    ],
)
def test_it_says_until_when_it_waits_and_counts_it(more: dict[str, Any], said: str) -> None:
    (waiting, working), events, makespan_s = virtual_time.run(_shown(more, 600.0, 3900.0))
    assert waiting.row.reason == said
    assert waiting.eta_s == pytest.approx(3000.0 + makespan_s)
    assert working.row.reason == ""
    assert working.eta_s == pytest.approx(makespan_s - 300.0)
    assert events == [said]


async def _lost_host() -> tuple[CampaignView, CampaignView]:
    """The campaign while it waits for a host that failed, and soon after a person let it go on without that."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=6, seed=1)
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        waves = {"max_unavailable": 3}
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}, "waves": waves}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        await sim.campaigns.create(json.dumps(document))
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        await clock.sleep(300.0)
        world.hosts.crash("cn-0001", down_s=None)
        await clock.sleep(1200.0)
        waiting = await sim.campaigns.show("c")
        await sim.campaigns.resume("c")
        await clock.sleep(120.0)
        return waiting, await sim.campaigns.show("c")


def test_a_campaign_that_a_lost_host_holds_up_says_so_and_tells_no_time_that_would_be_left() -> None:
    waiting, working = virtual_time.run(_lost_host())
    assert waiting.row.code == "ESC-UPG-019"
    assert waiting.row.reason.startswith("waits for a host that failed: cn-0001; no further node starts until it is back")
    assert (waiting.eta_s, waiting.next[0]) == (None, "escalator campaign resume c")
    assert (working.row.code, working.row.reason, working.next[0]) == ("", "", "escalator campaign pause c")
    assert working.eta_s is not None


class CountingClock(VirtualClock):
    """Virtual time, and how often somebody waited for it."""

    sleeps = 0

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        await super().sleep(seconds)


@pytest.mark.parametrize("asleep_s", [300.0, 86400.0])
def test_days_without_a_window_cost_no_looks_where_no_wake_up_is_lost(asleep_s: float) -> None:
    async def waited() -> int:
        clock = CountingClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1)
        async with simulate(world, clock, pace=Pace(asleep_s=asleep_s)) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}
            document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec | THURSDAYS}
            await sim.campaigns.create(json.dumps(document))
            await sim.campaigns.plan("c")
            await clock.sleep(12 * 3600)
            await sim.campaigns.start("c")
            clock.sleeps = 0
            await clock.sleep(6 * 86400)
            found = clock.sleeps
            await clock.sleep(86400)
            view = await sim.campaigns.show("c")
            assert (view.row.state.value, view.done) == ("completed", 3)
        return found

    looks = virtual_time.run(waited())
    assert (looks > 6 * 288) == (asleep_s == 300.0)
    assert asleep_s == 300.0 or looks < 100


def test_without_windows_nothing_is_waited_for() -> None:
    (view,), events, makespan_s = virtual_time.run(_shown({}, 300.0))
    assert (view.row.reason, events) == ("", [])
    assert view.eta_s == pytest.approx(makespan_s - 300.0)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (
            None,
            "waits for its window, which opens Thu 2026-01-08 03:00 (+02:00); the one that is open until Thu 2026-01-01 08:00",
        ),
        ("2026-01-02T00:00:00+02:00", "waits for its window, but the one that is open until Thu 2026-01-01 08:00"),
    ],
)
def test_an_open_window_that_is_too_short_for_every_node_is_told(ends: str | None, said: str) -> None:
    async def shown() -> tuple[CampaignView, list[str]]:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1)
        async with simulate(world, clock) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            spec = {
                "release": RELEASE.id,
                "mode": "smooth",
                "scope": {"select": {}},
                "node": {"driver": "simulated"},
                **THURSDAYS,
            }
            spec |= {} if ends is None else {"not_after": ends}
            document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
            await sim.campaigns.create(json.dumps(document))
            await sim.campaigns.plan("c")
            await clock.sleep(6 * 3600 - 600.0)  # ten minutes before the window closes, at 06:00 UTC
            await sim.campaigns.start("c")
            await clock.sleep(60.0)
            events = [e.message for e in await sim.store.events.read(0, limit=1000) if e.action == "campaign.waits"]
            return await sim.campaigns.show("c"), events

    view, events = virtual_time.run(shown())
    assert view.row.reason.startswith(said)
    assert " is too short by now: the shortest turn needs " in view.row.reason
    assert len(events) == 1


async def _first_turns() -> list[tuple[float, float]]:
    """Of each window, how long after it opened its first node was taken out of service, and its first instance was moved."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=8, seed=1)
    nights = {"windows": [{"days": ["thu", "fri"], "start": "03:00", "length_s": 7200, "time_zone": "Europe/Helsinki"}]}
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}, **nights}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        await sim.campaigns.create(json.dumps(document))
        plan = await sim.campaigns.plan("c")
        await clock.sleep(137.0)  # no look that comes round by itself falls upon the opening of a window
        await sim.campaigns.start("c")
        await clock.sleep(2 * 86400.0)
        events = await sim.store.events.read(0, limit=5000)
    found = []
    for window in plan.windows:
        opens = datetime.fromisoformat(window.opens).timestamp()
        begun = [event for event in events if event.at >= opens and event.outcome == "started"]
        found.append(tuple(next(e.at for e in begun if e.action == what) - opens for what in ("node.cordon", "instance.move")))
    return found


def test_the_first_node_of_a_night_is_taken_out_of_service_as_its_window_opens() -> None:
    first, second = virtual_time.run(_first_turns())
    assert (first[0], second[0]) == (0.0, 0.0)
    assert second[1] == 45.0  # so long its VNF managers take to answer: that is in no plan
