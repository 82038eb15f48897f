"""A condition that holds of nothing says so: it is no word in favour of the plan."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from escalator.cli.plan_view import NOT_LOOKED_AT, conditions, verdict
from escalator.model.inventory import Group
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.returning import with_returns
from unit.planner.clouds import campaign, cloud, node, plan_of, vm

WINDOWS = [{"days": ["tue"], "start": "01:00", "length_s": 7200.0}]
APART = [Group(id="g", policy="anti-affinity", max_impacted=1)]
FULL = [thing for n in "abc" for thing in (node(n, rack=n), vm(f"v{n}", n, demand={"pcpu": 8.0}, groups=("g",)))]


def said(plan: Plan) -> dict[str, str]:
    return {condition.code: condition.message for condition in plan.conditions if condition.ok}


def drawn(thing: Any) -> str:
    out = StringIO()
    Console(width=200, file=out).print(thing)
    return out.getvalue()


def test_a_plan_without_a_turn_has_no_condition_that_holds_of_its_turns() -> None:
    waves = {"max_unavailable": 1, "max_extra_moves": 0.0, "reserve_hosts": 0, "spread": [{"by": "rack", "max": 1}]}
    plan = plan_of(*FULL, *APART, waves=waves, windows=WINDOWS)
    plan = with_returns(plan, campaign(), cloud(*FULL, *APART), (), {"hypervisor": "9"})
    assert not plan.upgrades
    for code in ("ESC-PLN-009", "ESC-PLN-010", "ESC-PLN-011", "ESC-PLN-014"):
        assert said(plan)[code].startswith(NOT_LOOKED_AT)
    text = drawn(conditions([condition.model_dump() for condition in plan.conditions]))
    assert any(line.split()[:2] == ["-", "ESC-PLN-009"] for line in text.splitlines())


def test_room_is_not_vouched_for_where_nobody_looked_for_it() -> None:
    pinned = [node("a"), vm("lone", "a", migration="none")]
    assert said(plan_of(*pinned))["ESC-PLN-003"] == "not looked at: nothing is planned"
    assert said(plan_of(*pinned, node("b")))["ESC-PLN-003"].endswith("; not looked at for 1 node left out before")
    assert said(plan_of(node("b")))["ESC-PLN-003"] == "there is room for everything that has to move"


def test_a_plan_with_everything_upgraded_is_nothing_to_start() -> None:
    plan = plan_of(node("a", progress="done"), node("b", progress="done"))
    assert said(plan)["ESC-PLN-001"] == "2 nodes in scope, upgraded already: there is nothing to do"
    assert drawn(verdict(plan.model_dump(by_alias=True), "c")).startswith("NOTHING TO DO")
    assert drawn(verdict(plan_of(node("a")).model_dump(by_alias=True), "c")).startswith("SMOOTH")
