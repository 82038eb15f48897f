"""Clouds whose best plan is known: the plan is that one, and no lower bound is above it."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.inventory import Group
from escalator.model.plan import Plan
from unit.planner.clouds import failing, node, plan_of, vm

UPGRADE_S = 1200.0
MOVE_S = 5.0
"""Of an instance without memory."""
FREE = {"max_unavailable": "100%", "max_extra_moves": 0.0}


def full(name: str, *instances: str, **more: Any) -> list[Any]:
    """A node that its instances fill."""
    return [node(name), *(vm(one, name, demand={"pcpu": 8.0 / len(instances)}, **more) for one in instances)]


def check(plan: Plan, moves: int, makespan_s: float) -> None:
    assert plan.smooth, plan.conditions
    assert len(plan.moves) == moves
    assert plan.totals.makespan_s == pytest.approx(makespan_s)
    assert plan.bounds.moves <= moves
    assert plan.bounds.makespan_s <= makespan_s + 1e-6


def test_a_chain_with_one_empty_node_goes_one_after_the_other() -> None:
    things = [node("e"), *(thing for n in range(4) for thing in full(f"n{n}", f"v{n}"))]
    plan = plan_of(*things, waves=FREE)
    check(plan, 4, 5 * UPGRADE_S + 4 * MOVE_S)
    assert plan.bounds.makespan_s == pytest.approx(5 * UPGRADE_S + 4 * MOVE_S)


def test_of_two_racks_one_empty_the_other_follows_at_once() -> None:
    things = [node(f"e{n}") for n in range(3)]
    things += [thing for n in range(3) for thing in full(f"n{n}", f"v{n}")]
    plan = plan_of(*things, waves=FREE)
    check(plan, 3, 2 * UPGRADE_S + MOVE_S)
    assert plan.bounds.makespan_s == pytest.approx(2 * UPGRADE_S + MOVE_S)


def test_a_group_of_sixteen_with_limit_one_takes_its_chain() -> None:
    group = Group(id="g", max_impacted=1, recovery_s=600)
    nodes = [node(f"n{n:02}") for n in range(16)]
    stays = [vm(f"v{n:02}", f"n{n:02}", groups=("g",), vacate="in-place") for n in range(16)]
    plan = plan_of(*nodes, *stays, group, waves=FREE)
    check(plan, 0, 16 * UPGRADE_S + 15 * 600)
    assert (plan.bounds.binding, plan.bounds.makespan_s) == ("group", plan.totals.makespan_s)


def test_a_chain_of_moves_begins_behind_the_first_upgrade() -> None:
    group = Group(id="g", policy="anti-affinity", max_impacted=1, recovery_s=600)
    things = [*(node(f"e{n}") for n in range(6)), *(thing for n in range(6) for thing in full(f"n{n}", f"v{n}", groups=("g",)))]
    plan = plan_of(*things, group, waves={**FREE, "max_extra_moves": 0.0})
    check(plan, 6, UPGRADE_S + 6 * MOVE_S + 5 * 600 + UPGRADE_S)
    assert (plan.bounds.binding, plan.bounds.makespan_s) == ("group", pytest.approx(plan.totals.makespan_s))


def test_a_full_site_of_three_whose_instances_switch_over_needs_no_room() -> None:
    things = [thing for n in range(3) for thing in full(f"n{n}", f"a{n}", f"b{n}", vacate="in-place", groups=("g",))]
    plan = plan_of(*things, Group(id="g", max_impacted=2, recovery_s=60), waves={"max_unavailable": 1})
    check(plan, 0, 3 * UPGRADE_S + 2 * 60)


def test_nodes_go_as_many_at_once_as_may() -> None:
    plan = plan_of(*(node(f"n{n:02}") for n in range(20)), waves={"max_unavailable": "10%"})
    check(plan, 0, 10 * UPGRADE_S)
    assert (plan.bounds.binding, plan.bounds.makespan_s) == ("parallel", 10 * UPGRADE_S)


def test_a_night_takes_as_many_as_end_in_it_with_their_rollback() -> None:
    window = {"days": ["mon", "tue"], "start": "01:00", "length_s": 7200.0}
    plan = plan_of(*(node(f"n{n:02}") for n in range(10)), waves={"max_unavailable": 1}, windows=[window])
    # 1.25 x 1,200 s and 1,200 s for a rollback have to fit: the last begins 2,700 s before the end.
    assert [upgrade.window for upgrade in plan.upgrades] == [0] * 4 + [1] * 4 + [2] * 2
    check(plan, 0, 2 * 7200 + 2 * UPGRADE_S)
    assert plan.bounds.makespan_s == pytest.approx(2 * 7200 + UPGRADE_S)


def test_the_fewest_spare_hosts_are_named() -> None:
    things = [thing for n in range(6) for thing in full(f"n{n}", f"v{n}")]
    plan = plan_of(*things, waves={"max_unavailable": "100%", "max_extra_moves": 0.0})
    assert failing(plan)["ESC-PLN-003"].remedy.startswith("add 1 empty host like n0 (pcpu 8)")
    assert len(plan.totals.not_upgraded) == 6


def test_moves_beyond_one_per_instance_stay_within_the_share() -> None:
    things = [thing for n in range(6) for thing in [node(f"n{n}"), vm(f"v{n}", f"n{n}", demand={"pcpu": 4.0})]]
    none = plan_of(*things, waves={"max_unavailable": 1, "max_extra_moves": 0.0})
    assert not none.smooth
    some = plan_of(*things, waves={"max_unavailable": 1})
    assert some.smooth
    assert sum(move.extra for move in some.moves) == 1
    assert len(some.moves) == some.bounds.moves == 7


def test_a_reserve_of_hosts_stays_empty() -> None:
    things = [node("e1"), node("e2"), *full("n1", "v1"), *full("n2", "v2")]
    plan = plan_of(*things, waves={"max_unavailable": 1, "reserve_hosts": 1})
    assert plan.smooth
    alone = plan_of(node("e1"), *full("n1", "v1"), waves={"max_unavailable": 1, "reserve_hosts": 1})
    assert failing(alone)["ESC-PLN-010"].remedy == "lower waves.reserve_hosts to 0, or add 1 empty host like e1, already upgraded"


def test_slow_hardware_takes_its_own_time() -> None:
    estimates = {"hardware": [{"labels": {"model": "old"}, "upgrade_s": 3000.0}]}
    plan = plan_of(node("a", labels={"model": "old"}), node("b"), waves={"max_unavailable": 2}, estimates=estimates)
    assert {u.node: u.end_s - u.start_s for u in plan.upgrades} == {"a": 3000.0, "b": 1200.0}


def test_turns_never_wait_for_one_another() -> None:
    # What leaves each of the two last needs the place that is kept for what stays on the other.
    stays, numa = {"vacate": "in-place"}, ({"pcpu": 8.0, "mem_mib": 65536.0},)
    things: list[Any] = [node(name, numa=numa) for name in ("e1", "e2", "a", "b")]
    for name, kept, asked in (("a", "g", "h"), ("b", "h", "g")):
        things += [
            vm(f"{name}-stays", name, groups=(kept,), **stays),
            vm(f"{name}-first", name, demand={"pcpu": 1.0, "mem_mib": 8192.0}),
            vm(f"{name}-last", name, groups=(asked,)),
        ]
    plan = plan_of(*things, Group(id="g", max_impacted=1), Group(id="h", max_impacted=1), waves=FREE)
    assert plan.smooth
    assert {upgrade.node for upgrade in plan.upgrades} == {"a", "b", "e1", "e2"}
    assert len(plan.moves) == 4
