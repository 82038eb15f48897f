"""Times of a plan as its tables show them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rich.console import Console

from escalator.cli.plan_times import Times
from escalator.cli.plan_view import plan_view
from escalator.upgrade_manager.planner.make import make_plan
from unit.planner.clouds import campaign, cloud, node, vm

NIGHTS = [{"days": ["sat", "sun"], "start": "01:00", "length_s": 4200, "time_zone": "Europe/Helsinki"}]
FRIDAY_S = datetime.fromisoformat("2026-12-04T12:00:00+02:00").timestamp()


def planned(now_s: float | None = None, **spec: Any) -> dict[str, Any]:
    there = cloud(*[node(f"n{n}") for n in range(4)], *[vm(f"v{n}", f"n{n}", vnf=f"amf-{n % 2}") for n in range(3)])
    plan = make_plan(campaign(**spec), there, now_s=now_s).sealed("plan-1")
    found: dict[str, Any] = json.loads(plan.model_dump_json(by_alias=True))
    return found


def shown(plan: dict[str, Any], *, full: bool = True) -> str:
    console = Console(width=160, no_color=True)
    with console.capture() as seen:
        console.print(plan_view(plan, "c", full=full))
    return seen.get()


def test_where_windows_are_dated_every_table_has_the_clock() -> None:
    seen = shown(planned(FRIDAY_S, windows=NIGHTS))
    assert "Sun 12-06 01:0" in seen
    assert "Sat 12-05 01:00:00 - 01:20:00" in seen
    hits = seen[seen.index("VNFs that are hit") : seen.index("Moves")]
    assert "Sat 12-05 01:" in hits
    assert "1:10:00 - " not in seen.split("Chart")[0]
    assert "Nodes by wave  " in seen


def test_working_time_is_called_that() -> None:
    undated = shown(planned(windows=NIGHTS))
    assert "Nodes by wave, in working time from the start" in undated
    assert "Moves, in working time from the start" in undated
    assert "Nodes by wave, in time from the start" in shown(planned())


def test_a_time_is_that_of_its_window_and_says_the_day_where_it_ends_on_another() -> None:
    rows = [
        {"opens": "2026-12-05T23:00:00+02:00", "starts_s": 0.0},
        {"opens": "2026-12-07T01:00:00+02:00", "starts_s": 7200.0},
    ]
    times = Times({"windows": rows, "upgrades": []})
    assert times.interval(3000, 4200) == "Sat 12-05 23:50:00 - Sun 12-06 00:10:00"
    assert times.interval(7200, 7260) == "Mon 12-07 01:00:00 - 01:01:00"
    older = Times({"windows": [{"opens": "2026-12-05T23:00:00+02:00"}], "upgrades": [{"window": 1}]})
    assert older.interval(7200, 7260) == "2:00:00 - 2:01:00"


def test_a_vnf_is_named_once_and_not_cut_in_two() -> None:
    plan = planned(FRIDAY_S, windows=NIGHTS)
    hit = plan["hits"][0]
    plan["hits"] = [{**hit, "vnf": f"smf-{n // 4:02d}", "window": n % 4} for n in range(80)]
    seen = shown(plan, full=False)
    hits = seen[seen.index("VNFs that are hit") : seen.index("Moves")]
    assert (hits.count("smf-00"), "smf-09" in hits, "smf-10" in hits) == (1, True, False)
    assert "… and 40 more" in hits
    plan["hits"] = plan["hits"][:48]
    assert "more: --full" not in shown(plan, full=False)
