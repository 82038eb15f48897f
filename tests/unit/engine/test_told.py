"""When orchestrators are told that nodes go: the plan's working time, on the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

from escalator.model.campaign import CampaignSpec, Scope, Select, Window
from escalator.model.plan import Move, Plan, Upgrade
from escalator.upgrade_manager.engine.told import windows
from escalator.vim_interface.facts import PlannedNode, PlannedWindow

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
