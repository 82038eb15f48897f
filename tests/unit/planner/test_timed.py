"""Large clouds: groups that recover have their members spread over the plan, and no node waits half emptied for them."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from escalator.model.inventory import Group
from escalator.upgrade_manager.planner.actions import action_for
from escalator.upgrade_manager.planner.cloud import Cloud, build
from escalator.upgrade_manager.planner.doors import Door
from escalator.upgrade_manager.planner.rules import rules_of
from escalator.upgrade_manager.planner.scope import select
from escalator.upgrade_manager.planner.search import Search
from escalator.upgrade_manager.planner.timed import Timed, last_s
from escalator.upgrade_manager.planner.turns import Found, Policy, Rules
from unit.planner.clouds import campaign, cloud, node, vm

UPGRADE_S = 1200.0
WISH: dict[str, Any] = {
    "waves": {"max_unavailable": "100%"},
    "estimates": {"upgrade_s": UPGRADE_S},
    "migration": {"per_node": 1, "total": 20},
}


def made(*things: Any, **spec: Any) -> tuple[Cloud, Rules]:
    wish, inventory = campaign(**{**WISH, **spec}), cloud(*things)
    actions = {one.id: action_for(one, wish.spec, managed=False) for one in inventory.instances}
    scope = select(wish, inventory)
    there = build(wish, inventory, actions, scope.eligible, scope.upgraded)
    return there, rules_of(wish, inventory, scope, there, None)


def pair(recovery_s: float) -> tuple[Cloud, Rules]:
    """An empty node, two nodes with a member each of a group that one at a time may leave, and a third node without one."""
    group = Group(id="g", policy="anti-affinity", max_impacted=1, recovery_s=recovery_s)
    members = [vm("m0", "n0", groups=("g",)), vm("m1", "n1", groups=("g",))]
    return made(*(node(f"n{n}") for n in range(3)), node("empty"), *members, vm("single", "n2"), group)


def begins(there: Cloud, found: Found) -> dict[str, float]:
    return {there.nodes[turn.node].id: turn.away_s for turn in found.turns}


def test_a_node_begins_later_in_place_of_waiting_half_emptied_for_its_group() -> None:
    there, rules = pair(600.0)
    found = Search(there, rules, Policy("timed", idle_share=0.2)).run()
    late, early = (begins(there, found)[name] for name in ("n1", "n0"))
    assert early == UPGRADE_S
    assert late >= UPGRADE_S + 600.0 - 0.2 * UPGRADE_S
    assert not found.left


def test_moves_that_last_long_side_by_side_are_no_reason_to_wait() -> None:
    """Its groups let the node go: that a single move takes longer than a third of all of them is no hindrance by theirs."""
    group = Group(id="g", max_impacted=1, recovery_s=30.0)
    big = vm("m", "n0", groups=("g",), demand={"pcpu": 2.0, "mem_mib": 512 * 1024.0})
    nodes = [node(name, numa=({"pcpu": 8.0, "mem_mib": 1024 * 1024.0},)) for name in ("n0", "empty")]
    there, rules = made(*nodes, big, group, migration={"per_node": 3, "total": 20})
    found = Search(there, rules, Policy("timed", idle_share=0.2)).run()
    assert begins(there, found) == {"empty": 0.0, "n0": UPGRADE_S}


def test_what_recovers_soon_keeps_nobody_back() -> None:
    there, rules = pair(30.0)
    held = Search(there, rules, Policy("timed", idle_share=0.2)).run()
    free = Search(there, rules, Policy("timed", idle_share=inf)).run()
    assert begins(there, held) == begins(there, free)


def test_members_that_are_owed_go_before_one_more() -> None:
    there, _ = pair(600.0)
    door = Door(there.limits[0])
    assert door.reaches(0.0, 0, 10.0) == 0.0
    door.owed = 2
    assert door.reaches(0.0, 0, 10.0) == 2 * 610.0
    door.enter(0.0, 50.0)
    assert door.reaches(0.0, 0, 10.0) == 50.0 + 600.0 + 2 * 610.0


def test_groups_that_would_not_get_through_in_the_time_left_go_first() -> None:
    group = Group(id="g", policy="anti-affinity", max_impacted=1, recovery_s=900.0)
    members = [vm(f"m{n}", f"n{n}", groups=("g",)) for n in range(3)]
    more = [vm(f"more{n}", f"n{n}") for n in range(3)]
    there, rules = made(*(node(f"n{n}") for n in range(4)), node("empty"), *members, *more, vm("single", "n3"), group)
    doors = [Door(limit) for limit in there.limits]
    waiting = dict.fromkeys(range(5))
    timed = Timed(there, rules, there.guests, [4, 3, 0, 1, 2], [False] * 5)
    sizes = (0.5, 0.5, 0.5, 0.25, 0.0)
    assert timed.order(waiting, sizes.__getitem__, 0.0, doors) == [0, 1, 2, 4, 3]
    timed.begun(0)
    del waiting[0]
    assert timed.order(waiting, sizes.__getitem__, 1.0, doors) == [0, 1, 2, 4, 3]  # for a minute an order holds
    timed.begun(1)
    del waiting[1]
    assert timed.order(waiting, sizes.__getitem__, 61.0, doors) == [4, 3, 2]
    doors[0].owed = 2
    assert timed.order(waiting, sizes.__getitem__, 1000.0, doors) == [2, 4, 3]


@pytest.mark.parametrize(("width", "last"), [(20, UPGRADE_S), (1, 2 * UPGRADE_S)])
def test_the_last_node_begins_when_room_and_the_bound_on_nodes_let_it(width: int, last: float) -> None:
    there, rules = made(node("empty"), node("n0"), node("n1"), vm("a", "n0"), vm("b", "n1"))
    bounded = Rules(width, rules.per_node, rules.total, 0.0, 1.0, 0)
    lasts_s = there.guests[1][0].lasts_s
    assert last_s(there, there.guests, [0, 1, 2], bounded) == pytest.approx(last + lasts_s * (width == 1))
