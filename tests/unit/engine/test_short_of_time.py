"""Whoever starts a campaign later than its plan counts on hears what has no time left."""

from __future__ import annotations

from datetime import datetime

import pytest

from escalator.upgrade_manager.engine.windows import short_of_time
from escalator.upgrade_manager.planner.make import make_plan
from unit.planner.clouds import campaign, cloud, node

NIGHTS = ({"days": ["sat", "sun"], "start": "01:00", "length_s": 7200, "time_zone": "Europe/Helsinki"},)
"""A turn takes twenty minutes and needs time for as long a rollback: five have room in two hours."""
NOON_S = datetime.fromisoformat("2026-12-04T12:00:00+02:00").timestamp()
OPENS_S = datetime.fromisoformat("2026-12-05T01:00:00+02:00").timestamp()


def said(after_s: float, nodes: int = 4, **spec: object) -> str:
    """What is said of a campaign that was planned on Friday noon and is started so long after its first window opened."""
    wanted, there = (
        campaign(windows=NIGHTS, estimates={"upgrade_s": 1200, "p90": 1.0}, **spec),
        cloud(*[node(f"n{n}") for n in range(nodes)]),
    )
    plan = make_plan(wanted, there, now_s=NOON_S)
    assert {upgrade.window for upgrade in plan.upgrades} == {0}
    return short_of_time(plan, wanted.spec, there, OPENS_S + after_s)


def test_who_starts_in_time_hears_nothing() -> None:
    assert said(-3600.0) == ""
    assert said(0.0) == ""
    assert said(1200.0) == ""


def test_who_starts_late_hears_which_nodes_will_have_their_turn_another_night() -> None:
    late = said(1201.0)
    assert late.startswith("The window that is open until Sat 2026-12-05 03:00 (+02:00) is too short by now for 1 of the 4 nodes")
    assert late.endswith("; the next one opens Sun 2026-12-06 01:00 (+02:00).")
    assert "for 4 nodes that the plan has in its first one (n0, n1, n2, n3)" in said(6000.0)


@pytest.mark.parametrize(("until", "said_so"), [("2026-12-05T02:00:00+02:00", True), ("2026-12-06T03:00:00+02:00", False)])
def test_where_the_windows_that_are_left_do_not_hold_it_that_is_said(until: str, said_so: bool) -> None:
    wanted, there = campaign(windows=NIGHTS), cloud(*[node(f"n{n}") for n in range(4)])
    plan = make_plan(wanted, there, now_s=NOON_S)
    ends = campaign(windows=NIGHTS, not_after=until).spec
    found = short_of_time(plan, ends, there, OPENS_S - 60.0)
    assert ("hold 60 min, and the plan takes 80 min of them" in found) is said_so


def test_without_windows_there_is_nothing_to_say() -> None:
    for dates in ({}, {"not_before": "2026-12-05T01:00:00+02:00"}):
        wanted, there = campaign(**dates), cloud(node("a"))
        for now_s in (NOON_S, OPENS_S + 60.0):
            assert short_of_time(make_plan(wanted, there), wanted.spec, there, now_s) == ""
