"""A plan names its windows on the calendar, where they are known, and is otherwise the one that it was."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from escalator.model.document import Source, load
from escalator.model.inventory import Group
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, node, vm

FRIDAY_S = datetime.fromisoformat("2026-12-04T12:00:00+02:00").timestamp()
NIGHTS = [{"days": ["sat", "sun"], "start": "01:00", "length_s": 4200, "time_zone": "Europe/Helsinki"}]


def made(now_s: float | None, **changes: Any) -> Plan:
    nodes = [node(f"n{n}") for n in range(3)]
    waves = {"max_unavailable": 1}
    return make_plan(campaign(waves=waves, **changes), cloud(*nodes), now_s=now_s).sealed("plan-1")


def test_every_window_with_turns_has_its_beginning_end_and_number_of_nodes() -> None:
    plan = made(FRIDAY_S, windows=NIGHTS)
    assert [(w.window, w.opens, w.closes, w.nodes) for w in plan.windows] == [
        (0, "2026-12-05T01:00:00+02:00", "2026-12-05T02:10:00+02:00", 2),
        (1, "2026-12-06T01:00:00+02:00", "2026-12-06T02:10:00+02:00", 1),
    ]
    assert [u.window for u in plan.upgrades] == [0, 0, 1]
    assert [w.starts_s for w in plan.windows] == [0.0, 4200.0]


def test_a_date_alone_is_told_too() -> None:
    (window,) = made(None, not_before="2026-12-05T00:30:00+02:00").windows
    assert (window.opens, window.closes, window.nodes) == ("2026-12-05T00:30:00+02:00", None, 3)


def test_no_date_is_made_up_where_nobody_knows_the_start() -> None:
    assert made(None, windows=NIGHTS).windows == ()


def test_a_plan_without_windows_has_the_digest_of_one_that_never_heard_of_them() -> None:
    plan = made(FRIDAY_S)
    text = plan.model_dump_json(by_alias=True)
    assert "windows" not in json.loads(text)
    body = plan.model_copy(update={"digest": ""}).model_dump_json(by_alias=True, exclude={"windows"})
    assert plan.digest == f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"


def test_a_plan_with_windows_is_read_back_as_it_was() -> None:
    plan = made(FRIDAY_S, windows=NIGHTS)
    assert load(Plan, Source(json.loads(plan.model_dump_json(by_alias=True)))) == plan


def test_members_of_a_group_that_recovers_for_hours_go_in_later_nights() -> None:
    apart = Group(id="amf", max_impacted=1, recovery_s=10_000.0)
    there = cloud(*[node(f"n{n}") for n in range(6)], *[vm(f"v{n}", f"n{n}", groups=("amf",)) for n in range(4)], apart)
    wish = campaign(windows=[{"days": ["sat", "sun"], "start": "01:00", "length_s": 14_400}], waves={"max_unavailable": 6})
    plan = make_plan(wish, there)
    assert verify(wish, there, plan) == []
    assert plan.smooth
    nights = sorted(plan.upgrade_of[f"n{n}"].window for n in range(4))
    assert nights == [0, 1, 2, 3]
    assert any(upgrade.waits == "group amf: its limit or recovery, and the next window" for upgrade in plan.upgrades)
