"""Where an instance finds no room, one that was placed before goes elsewhere: no move more, and no time changed."""

from __future__ import annotations

from typing import Any

from escalator.model.inventory import Group
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, left_out, moves, node, vm

FIRST = {"name": "first", "select": {"role": "compute", "rack": ("r1",)}}
SECOND = {"name": "second", "after": ["first"], "select": {"role": "compute", "rack": ("r2",)}}
REST = {"name": "rest", "after": ["second"]}
LARGE = {"pcpu": 8.0, "mem_mib": 8192.0, "gpu": 1.0}
HOST = {"pcpu": 8.0, "mem_mib": 8192.0, "gpu": 8.0}
SMALL = {"pcpu": 4.0, "mem_mib": 4096.0}
OTHER = {"pcpu": 16.0, "mem_mib": 262144.0}
"""Has not what the large instance needs, and the small one suits it less well than it does HOST: in size and in proportions."""


def plan_of(*things: Any, **waves: Any) -> Plan:
    """A sound plan of groups one after the other, without moves beyond one per instance."""
    wish = campaign(
        scope={"select": {"role": "compute"}, "groups": [FIRST, SECOND, REST]},
        waves={"max_unavailable": 3, "max_extra_moves": 0.0, **waves},
    )
    there = cloud(*things)
    plan = make_plan(wish, there)
    assert verify(wish, there, plan) == []
    return plan


def dense(*more: Any, other: str = "r1", **small: Any) -> list[Any]:
    """The large instance fits one of two empty nodes, and the small one goes there before."""
    return [
        node("fits", rack="r1", numa=(HOST,)),
        node("other", rack=other, numa=(OTHER,)),
        node("s", rack="r1", numa=(SMALL,)),
        node("b", rack="r3", numa=(HOST,)),
        vm("small", "s", demand=SMALL, **small),
        vm("large", "b", demand=LARGE),
        *more,
    ]


def test_what_was_placed_before_makes_room() -> None:
    plan = plan_of(*dense())
    assert moves(plan) == [("small", "s", "other"), ("large", "b", "fits")]
    assert left_out(plan) == {}
    assert plan.totals.moves == 2


def test_nothing_goes_to_a_node_that_was_not_upgraded_by_then() -> None:
    plan = plan_of(*dense(other="r2"))
    assert [*left_out(plan)] == ["b"]
    assert moves(plan) == [("small", "s", "fits")]


def test_nothing_goes_where_another_member_of_its_group_is() -> None:
    apart = Group(id="g", policy="anti-affinity")
    plan = plan_of(*dense(vm("twin", "other", demand={"pcpu": 1.0}, groups=("g",), vacate="in-place"), apart, groups=("g",)))
    assert [*left_out(plan)] == ["b"]


def test_two_may_have_to_make_room() -> None:
    halves = [vm(f"half{n}", "s", demand={"pcpu": 2.0, "mem_mib": 2048.0}) for n in range(2)]
    things = [thing for thing in dense() if thing.id != "small"]
    plan = plan_of(*things, *halves)
    assert left_out(plan) == {}
    assert {target for name, _, target in moves(plan) if name != "large"} == {"other"}
