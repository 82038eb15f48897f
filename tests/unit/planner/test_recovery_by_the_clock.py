"""Groups recover by the clock: what lies between two windows counts, in the search, its bounds, the verifier and a repair."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Group, Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from escalator.upgrade_manager.planner.windows import Windows
from unit.planner.clouds import campaign, cloud, node, vm

HOUR_S = 3600.0
NIGHT_S = 4 * HOUR_S
MONDAY_S = datetime(2026, 11, 30, tzinfo=UTC).timestamp()
DAILY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _wish(**spec: Any) -> Campaign:
    windows = [{"days": DAILY, "start": "01:00", "length_s": NIGHT_S}]
    return campaign(windows=windows, waves={"max_unavailable": 6}, **spec)


def _there(recovery_s: float, members: int) -> Inventory:
    group = Group(id="amf", max_impacted=1, recovery_s=recovery_s)
    return cloud(
        *[node(f"n{n}") for n in range(members + 2)], *[vm(f"v{n}", f"n{n}", groups=("amf",)) for n in range(members)], group
    )


def _nights(plan: Plan, members: int) -> list[int]:
    return sorted(plan.upgrade_of[f"n{n}"].window for n in range(members))


@pytest.mark.parametrize(
    ("hours", "nights"),
    [
        pytest.param(2, [0, 0, 1, 1, 2, 2], id="two in a night"),
        pytest.param(6, [0, 1, 2, 3, 4, 5], id="longer than a window, shorter than the day between"),
        pytest.param(30, [0, 2, 4, 6, 8, 10], id="longer than the day between"),
    ],
)
def test_the_day_between_two_windows_is_time_to_recover(hours: int, nights: list[int]) -> None:
    wish, there = _wish(), _there(hours * HOUR_S, 6)
    plan = make_plan(wish, there, now_s=MONDAY_S)
    assert plan.smooth
    assert verify(wish, there, plan, now_s=MONDAY_S) == []
    assert _nights(plan, 6) == nights


def _moved(plan: Plan, name: str, by_s: float) -> Plan:
    """The plan with one node's turn so much later."""
    moves = tuple(
        m.model_copy(update={"start_s": m.start_s + by_s, "end_s": m.end_s + by_s}) if m.origin == name else m for m in plan.moves
    )
    upgrades = tuple(
        u.model_copy(update={"start_s": u.start_s + by_s, "end_s": u.end_s + by_s}) if u.node == name else u
        for u in plan.upgrades
    )
    return plan.model_copy(update={"moves": moves, "upgrades": upgrades})


def test_the_verifier_counts_what_passes_between_windows_by_the_clock() -> None:
    # From what ends as a window closes to what starts as the next one opens it is 20 hours.
    wish, there = _wish(), _there(20 * HOUR_S - 1.0, 2)
    plan = make_plan(wish, there, now_s=MONDAY_S)
    first, second = sorted(plan.upgrades, key=lambda u: u.start_s)[-2:]
    moves = {m.origin: m for m in plan.moves}
    assert (first.window, second.window, moves[second.node].start_s) == (0, 1, NIGHT_S)
    begun = moves[first.node]
    assert verify(wish, there, plan, now_s=MONDAY_S) == []
    late = _moved(plan, first.node, NIGHT_S - begun.end_s)
    assert Code.PLN_V_GROUP not in {violation.code for violation in verify(wish, there, late, now_s=MONDAY_S)}
    longer = there.model_copy(update={"groups": (there.groups[0].model_copy(update={"recovery_s": 20 * HOUR_S + 1.0}),)})
    found = [v for v in verify(wish, longer, late, now_s=MONDAY_S) if v.code is Code.PLN_V_GROUP]
    assert [v.message for v in found] == [
        f"{moves[second.node].instance} is impacted 72000 s after another member of amf, which recovers in 72001 s"
    ]


def test_windows_that_meet_leave_no_time_between_them() -> None:
    windows = Windows([NIGHT_S, NIGHT_S], [0.0, NIGHT_S])
    assert windows.recovers(NIGHT_S - 10.0, 600.0) == NIGHT_S + 590.0


def test_a_recovery_behind_the_last_window_is_no_sooner_than_its_end() -> None:
    windows = Windows([NIGHT_S, NIGHT_S], [0.0, 24 * HOUR_S])
    assert windows.recovers(NIGHT_S, 50 * HOUR_S) >= 2 * NIGHT_S


@pytest.mark.parametrize("hours", [2, 6])
def test_no_plan_undercuts_the_bound_of_its_groups(hours: int) -> None:
    wish, there = _wish(), _there(hours * HOUR_S, 8)
    plan = make_plan(wish, there, now_s=MONDAY_S)
    assert plan.bounds.parts["group"] <= plan.totals.makespan_s
    assert plan.bounds.parts["group"] > 2 * NIGHT_S  # and the bound still tells of several nights
