"""The mode `non-smooth`: who is stopped, and what a person has to accept."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.campaign import Campaign
from escalator.model.inventory import Group
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, node, vm

NON_SMOOTH = {"mode": "non-smooth"}


def planned(*things: Any, managed: frozenset[str] = frozenset(), **spec: Any) -> Plan:
    asked: Campaign = campaign(**spec)
    plan = make_plan(asked, cloud(*things), managed)
    assert [v.message for v in verify(asked, cloud(*things), plan, managed)] == []
    return plan


def stopped(plan: Plan) -> list[str]:
    return sorted(impact.instance for impact in plan.impacts if impact.kind == "stop-start")


def failing(plan: Plan) -> list[str]:
    return [condition.code for condition in plan.conditions if not condition.ok]


def full() -> tuple[Any, ...]:
    return (
        node("a", numa=({"pcpu": 4.0},)),
        node("b", numa=({"pcpu": 4.0},)),
        vm("v", "a", demand={"pcpu": 4.0}),
        vm("w", "b", demand={"pcpu": 4.0}),
    )


def test_what_finds_no_room_is_stopped_and_a_person_has_to_accept_that() -> None:
    smooth = planned(*full())
    assert (smooth.totals.nodes, stopped(smooth), failing(smooth)) == (0, [], ["ESC-PLN-003"])
    plan = planned(*full(), **NON_SMOOTH)
    assert (plan.totals.nodes, stopped(plan), plan.moves, failing(plan)) == (2, ["v", "w"], (), ["ESC-PLN-022"])


def test_with_room_everything_moves_and_there_is_nothing_to_accept() -> None:
    plan = planned(*full(), node("c", numa=({"pcpu": 4.0},)), **NON_SMOOTH)
    assert (plan.smooth, stopped(plan), len(plan.moves)) == (True, [], 2)


def test_what_can_neither_migrate_nor_stay_is_stopped() -> None:
    things = (node("a"), node("b"), vm("v", "a", migration="none"))
    assert failing(planned(*things)) == ["ESC-PLN-004"]
    plan = planned(*things, **NON_SMOOTH)
    assert (stopped(plan), failing(plan), plan.totals.nodes) == (["v"], ["ESC-PLN-022"], 2)


def test_a_vnf_s_declaration_stands_above_the_mode() -> None:
    pinned = vm("v", "a", migration="none", allowed=("live",))
    plan = planned(node("a"), node("b"), pinned, **NON_SMOOTH)
    assert (stopped(plan), failing(plan)) == ([], ["ESC-PLN-004"])


def test_what_has_to_move_by_its_vnf_s_word_is_not_stopped_for_want_of_room() -> None:
    bound = vm("v", "a", demand={"pcpu": 4.0}, allowed=("live",))
    things = (node("a", numa=({"pcpu": 4.0},)), node("b", numa=({"pcpu": 4.0},)), bound, vm("w", "b", demand={"pcpu": 4.0}))
    plan = planned(*things, **NON_SMOOTH)
    assert (stopped(plan), [upgrade.node for upgrade in plan.upgrades]) == (["w"], ["b"])
    assert failing(plan) == ["ESC-PLN-022", "ESC-PLN-003"]


def test_members_of_a_group_are_not_stopped_together() -> None:
    group = Group(id="g", policy="anti-affinity", max_impacted=1)
    things = (
        node("a", numa=({"pcpu": 4.0},)),
        node("b", numa=({"pcpu": 4.0},)),
        group,
        vm("v", "a", demand={"pcpu": 4.0}, groups=("g",)),
        vm("w", "b", demand={"pcpu": 4.0}, groups=("g",)),
    )
    plan = planned(*things, waves={"max_unavailable": 2}, **NON_SMOOTH)
    first, second = sorted(plan.impacts, key=lambda impact: impact.start_s)
    assert (stopped(plan), first.end_s <= second.start_s) == (["v", "w"], True)


def test_nothing_is_to_be_accepted_for_nodes_that_have_no_turn() -> None:
    things = (node("a"), node("b"), vm("v", "a", migration="none"))
    short = [{"days": ["mon"], "start": "01:00", "length_s": 60}]
    plan = planned(*things, windows=short, **NON_SMOOTH)
    assert (plan.totals.nodes, stopped(plan), failing(plan)) == (0, [], ["ESC-PLN-009"])


def test_only_those_that_the_plan_stops_are_counted() -> None:
    group = Group(id="g", policy="none", max_impacted=1)
    both = [vm(name, "b", migration="none", groups=("g",)) for name in ("w", "x")]
    plan = planned(node("a"), node("b"), group, vm("v", "a", migration="none"), *both, **NON_SMOOTH)
    said = next(c.message for c in plan.conditions if c.code == "ESC-PLN-022")
    assert (stopped(plan), said) == (["v"], "1 instance is stopped with its node, about 20 min each: project p: 1")


@pytest.mark.parametrize("mode", ["smooth", "non-smooth"])
def test_both_modes_plan_alike_where_nothing_is_in_the_way(mode: str) -> None:
    plan = planned(node("a"), node("b"), vm("v", "a"), mode=mode)
    assert (plan.smooth, plan.totals.nodes, len(plan.moves)) == (True, 2, 1)
