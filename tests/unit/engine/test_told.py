"""What orchestrators are told of plans, in the calendar's time, and of a campaign's states."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from escalator.model.campaign import CampaignSpec, Scope, Window
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.plan import Move, Plan, Upgrade
from escalator.model.progress import CampaignState
from escalator.model.select import Select
from escalator.simulation.setup import simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.told import tell_state, windows
from escalator.vim_interface.facts import PlannedNode, PlannedWindow
from escalator.world.records import VnfmRow
from escalator.world.world import World

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""A Thursday."""
HOUR = 3600.0
NIGHTS = (Window(days=("thu", "fri", "sat"), start="01:00", length_s=2 * HOUR),)


def spec(*nights: Window) -> CampaignSpec:
    return CampaignSpec(mode="smooth", scope=Scope(select=Select(role="compute")), windows=nights)


def upgrade(node: str, start_s: float, window: int) -> Upgrade:
    return Upgrade(node=node, start_s=start_s, end_s=start_s + 600, window=window)


def test_turns_lie_in_their_windows_from_their_first_move_on() -> None:
    moves = (Move(instance="v1", origin="a", target="b", start_s=100.0, end_s=200.0),)
    plan = Plan(smooth=True, moves=moves, upgrades=(upgrade("a", 300.0, 0), upgrade("b", 2 * HOUR + 60, 1)))
    first, second = MIDNIGHT + HOUR, MIDNIGHT + 25 * HOUR
    assert list(windows(plan, spec(*NIGHTS), MIDNIGHT)) == [
        PlannedWindow(start=first, end=first + 2 * HOUR, nodes=(PlannedNode(node="a", start=first + 100, end=first + 900),)),
        PlannedWindow(start=second, end=second + 2 * HOUR, nodes=(PlannedNode(node="b", start=second + 60, end=second + 660),)),
    ]


def test_a_window_without_turns_is_not_told() -> None:
    plan = Plan(smooth=True, upgrades=(upgrade("a", 4 * HOUR, 2),))
    (only,) = windows(plan, spec(*NIGHTS), MIDNIGHT)
    assert only.start == MIDNIGHT + 49 * HOUR
    assert only.nodes == (PlannedNode(node="a", start=only.start, end=only.start + 600),)


def test_a_campaign_that_starts_inside_of_a_window_has_what_is_left_of_it() -> None:
    start = MIDNIGHT + 2 * HOUR
    plan = Plan(smooth=True, upgrades=(upgrade("a", 0.0, 0), upgrade("b", HOUR, 1)))
    tonight, tomorrow = windows(plan, spec(*NIGHTS), start)
    assert (tonight.start, tonight.end) == (start, MIDNIGHT + 3 * HOUR)
    assert tomorrow.nodes == (PlannedNode(node="b", start=MIDNIGHT + 25 * HOUR, end=MIDNIGHT + 25 * HOUR + 600),)


def test_without_windows_time_is_open() -> None:
    plan = Plan(smooth=True, upgrades=(upgrade("b", 600.0, 0), upgrade("a", 0.0, 0)))
    (only,) = windows(plan, spec(), MIDNIGHT)
    assert (only.start, only.end) == (MIDNIGHT, None)
    assert [node.node for node in only.nodes] == ["a", "b"]


def test_a_plan_without_turns_has_no_windows() -> None:
    assert list(windows(Plan(smooth=True), spec(*NIGHTS), MIDNIGHT)) == []


async def _looks(fail: str) -> list[str]:
    """The drive looks three times: suspended, with storage that fails at one call; running again; running still. What is told."""
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock)
    world.vnfms.put(VnfmRow(name="nfvo", behaviour="silent", orchestrator=True))
    async with simulate(world, clock) as sim:
        part, _, method = fail.partition(".")
        place = getattr(sim.store, part)
        call = getattr(place, method)

        async def failing(*_: object, **__: object) -> None:
            setattr(place, method, call)
            if fail == "tasks.remember":
                raise TemporaryError(Code.STO_UNAVAILABLE, "not now")
            await call(*_, **__)
            raise TemporaryError(Code.STO_UNAVAILABLE, "the answer is lost")

        setattr(place, method, failing)
        with pytest.raises(TemporaryError):
            await tell_state(sim.ctx, "c", CampaignState.SUSPENDED, "")
        told = await tell_state(sim.ctx, "c", CampaignState.RUNNING, "")
        assert await tell_state(sim.ctx, "c", CampaignState.RUNNING, told) == told
        await clock.sleep(10.0)
        return [json.loads(heard.details["report"])["campaignState"] for heard in world.vnfms.heard("nfvo")]


@pytest.mark.parametrize(("fail", "expected"), [("tasks.remember", []), ("notices.add", ["suspended", "running"])])
def test_a_state_that_is_told_is_told_to_be_over_whatever_fails_in_between(fail: str, expected: list[str]) -> None:
    assert virtual_time.run(_looks(fail)) == expected
