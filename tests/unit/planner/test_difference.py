"""How a plan differs from the one before, in lines that people read."""

from __future__ import annotations

from typing import Any

from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.difference import differences
from unit.planner.clouds import node, plan_of, vm

THINGS = (node("a"), node("b"), node("c"), vm("v", "a"), vm("w", "b"), vm("s", "c", vacate="in-place"))


def planned(**changes: Any) -> Plan:
    return plan_of(*THINGS, managed=frozenset({"s"})).model_copy(update=changes)


def with_upgrade(plan: Plan, name: str, **changes: Any) -> Plan:
    rows = (row.model_copy(update=changes) if row.node == name else row for row in plan.upgrades)
    return plan.model_copy(update={"upgrades": tuple(rows)})


def without(plan: Plan, name: str) -> Plan:
    return plan.model_copy(
        update={
            "upgrades": tuple(u for u in plan.upgrades if u.node != name),
            "moves": tuple(m for m in plan.moves if m.origin != name),
            "impacts": tuple(i for i in plan.impacts if i.node != name),
        }
    )


def test_the_same_plan_and_one_that_is_only_later_differ_in_nothing() -> None:
    plan = planned()
    assert differences(plan, plan, ()) == []
    later = with_upgrade(plan, "b", start_s=plan.upgrade_of["b"].start_s + 900, end_s=plan.upgrade_of["b"].end_s + 900)
    assert differences(plan, later, ()) == []


def test_a_move_that_goes_elsewhere_is_changed() -> None:
    plan = planned()
    old = plan.moves[0]
    other = plan.model_copy(update={"moves": (old.model_copy(update={"target": "lab"}), *plan.moves[1:])})
    assert differences(plan, other, ()) == [f"~ instance {old.instance}: {old.origin} -> lab, not {old.target}"]


def test_a_node_left_out_takes_its_moves_along_and_one_more_brings_its_own() -> None:
    plan = planned()
    fewer = without(plan, "a")
    target = next(move.target for move in plan.moves if move.instance == "v")
    assert differences(plan, fewer, ()) == ["- node a: not in scope any more"]
    assert differences(fewer, plan, ()) == ["+ node a", f"+ instance v: a -> {target}"]


def test_the_reason_of_a_node_left_out_is_said() -> None:
    down = (thing.model_copy(update={"state": "down"}) if thing.id == "b" else thing for thing in THINGS)
    fewer = plan_of(*down, waves={"max_unavailable": 2})
    assert "- node b: its compute service is down" in differences(planned(), fewer, ())


def test_another_night_and_another_one_that_stays_are_said() -> None:
    plan = with_upgrade(planned(), "c", window=0)
    other = with_upgrade(plan, "c", window=1).model_copy(update={"impacts": ()})
    assert differences(plan, other, ()) == ["~ node c: window 1 -> 2", "- instance s stays on c"]


def test_what_is_over_and_what_is_under_way_is_not_told_again() -> None:
    plan = planned()
    assert differences(plan, without(plan, "a"), {"a"}) == []
    late = next(move for move in plan.moves if move.start_s > 0)
    left = tuple(move for move in plan.moves if move is not late)
    half = plan.model_copy(update={"at_s": late.start_s + 1, "moves": (*left, late)})
    assert differences(plan, half.model_copy(update={"moves": left}), ()) == [f"- instance {late.instance} leaves {late.origin}"]
    begun = with_upgrade(half, late.origin, start_s=late.start_s).model_copy(update={"moves": left})
    assert differences(plan, begun, ()) == []
