"""Members of groups end as far apart as they began where that can be, and a plan says where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.inventory import Group, Instance, Node
from escalator.model.plan import Closer, Condition, Plan
from escalator.upgrade_manager.planner import policies
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, moves, node, plan_of, vm

G = Group(id="g", policy="anti-affinity", max_impacted=1)
APART = Closer(group="g", level="rack", places_before=2, places_after=1, most_before=1, most_after=2)


def old(name: str, rack: str | None, **more: Any) -> Node:
    return node(name, rack=rack, **more)


def done(name: str, rack: str | None, pcpu: float = 8.0, **more: Any) -> Node:
    return node(name, rack=rack, progress="done", numa=({"pcpu": pcpu},), **more)


def member(name: str, where: str, **more: Any) -> Instance:
    return vm(name, where, groups=("g",), **more)


def noted(plan: Plan) -> list[Condition]:
    return [condition for condition in plan.conditions if condition.code == Code.PLN_SPREAD.value]


TIGHT, WIDE = done("tight", "r1", 3.0), done("wide", "r2")
PAIR = (old("x", "r2"), done("y", "r1"), member("a", "x"), member("b", "y"), G)


@pytest.fixture(params=["by room", "by proportions"])
def _either_order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by proportions":
        monkeypatch.setattr(policies, "FEW", 0)


@pytest.mark.usefixtures("_either_order")
def test_a_tight_target_that_would_break_the_spread_is_left_for_one_that_keeps_it() -> None:
    plan = plan_of(*PAIR, TIGHT, WIDE)
    assert moves(plan) == [("a", "x", "wide")]
    assert plan.closer == ()
    assert [c.message for c in noted(plan)] == ["1 group whose members move ends as far apart as before, over racks"]
    # Without the rack of its sibling there is nothing to keep, and the tight one it is.
    unknown = plan_of(*PAIR, TIGHT.model_copy(update={"rack": "r3"}), WIDE)
    assert moves(unknown) == [("a", "x", "tight")]


@pytest.mark.usefixtures("_either_order")
def test_where_no_place_keeps_it_another_does_and_the_plan_says_so() -> None:
    plan = plan_of(*PAIR, TIGHT)
    assert plan.smooth
    assert moves(plan) == [("a", "x", "tight")]
    assert plan.closer == (APART,)
    [condition] = noted(plan)
    assert condition.ok
    assert condition.message.startswith("1 of 1 group whose members move ends closer together than before: ")
    assert "g: from 2 racks with at most 1 in one to 1 with 2" in condition.message
    assert condition.remedy


def test_a_node_waits_for_one_that_keeps_the_spread_of_its_groups() -> None:
    # x has the least to move and would go first; only the upgraded z is in its rack.
    things = (*PAIR, done("room", "r1"), old("z", "r2"), vm("c", "z", demand={"pcpu": 4.0}))
    plan = plan_of(*things)
    assert moves(plan)[0][0] == "c"
    assert ("a", "x", "z") in moves(plan)
    assert plan.closer == ()
    assert plan.upgrade_of["x"].waits == "a place for instance a that keeps the members of group g apart"


def test_what_waits_for_room_says_so_although_its_group_is_watched() -> None:
    full = done("y", "r1", 2.0)
    things = (old("x", "r2"), full, member("a", "x"), member("b", "y"), G, old("z", "r2"))
    assert (
        plan_of(*things, waves={"max_unavailable": 2}).upgrade_of["x"].waits == "room on upgraded nodes for instance a (pcpu 2)"
    )


def test_a_member_that_still_has_to_move_mends_what_another_breaks() -> None:
    # Rack r2 begins without any room: the first of its members to leave joins the other rack, whose own then makes place.
    things = [done("empty", "r1"), G]
    for rack in ("r1", "r2"):
        for number in range(2):
            things += [old(f"{rack}-{number}", rack), vm(f"vm-{rack}-{number}", f"{rack}-{number}", groups=(f"h{number}",))]
    plan = plan_of(*things, *(Group(id=f"h{number}", policy="anti-affinity") for number in range(2)))
    assert plan.smooth
    assert plan.closer == ()


def test_where_a_rack_cannot_be_kept_the_zone_is() -> None:
    things = (
        old("x", "r3", az="two"), done("y", "r1", az="one"), done("z", "r2", az="one"),
        member("a", "x"), member("b", "y"), member("c", "z"), G,
        done("tight", "r1", 3.0, az="one"), done("somewhere", None, az="two"),
    )  # fmt: skip
    plan = plan_of(*things)
    assert moves(plan) == [("a", "x", "somewhere")]
    assert plan.closer is not None
    assert [(row.level, row.places_before, row.places_after) for row in plan.closer] == [("rack", 3, 2)]


def test_soft_groups_are_watched_over_nodes() -> None:
    soft = Group(id="g", policy="soft-anti-affinity", max_impacted=1)
    there = (node("x"), node("y", progress="done"), member("a", "x"), member("b", "y"), soft)
    plan = plan_of(*there)
    assert moves(plan) == [("a", "x", "y")]
    assert plan.closer == (APART.model_copy(update={"level": "node"}),)
    assert plan_of(*there, node("z", progress="done")).closer == ()


@pytest.mark.parametrize(
    "things",
    [
        pytest.param((node("x"), member("a", "x"), node("y"), node("z", progress="done"), member("b", "y"), G), id="no racks"),
        pytest.param((*PAIR[:3], member("b", "x2"), G, old("x2", "r2"), TIGHT, WIDE), id="one rack"),
        pytest.param((*PAIR[:4], G.model_copy(update={"policy": "none"}), TIGHT, WIDE), id="no anti-affinity"),
    ],
)
def test_nothing_is_said_where_nothing_is_watched(things: tuple[Any, ...]) -> None:
    plan = plan_of(*things)
    assert plan.closer == ()
    assert noted(plan) == []


SPOILED: dict[str, Callable[[Plan], Plan]] = {
    "a group is not named": lambda p: p.model_copy(update={"closer": ()}),
    "a group is named with other numbers": lambda p: p.model_copy(
        update={"closer": (APART.model_copy(update={"most_after": 3}),)}
    ),
    "a group is named twice": lambda p: p.model_copy(update={"closer": (APART, APART)}),
    "another group is named": lambda p: p.model_copy(update={"closer": (APART, APART.model_copy(update={"level": "az"}))}),
    "no condition tells": lambda p: p.model_copy(
        update={"conditions": tuple(c for c in p.conditions if c.code != Code.PLN_SPREAD.value)}
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_plan_that_says_otherwise_is_refused(what: str) -> None:
    wish, there = campaign(), cloud(*PAIR, TIGHT)
    plan = make_plan(wish, there)
    assert verify(wish, there, plan) == []
    assert {violation.code for violation in verify(wish, there, SPOILED[what](plan))} == {Code.PLN_V_REPORT}


def test_a_plan_that_says_nothing_of_it_is_not_refused_for_that() -> None:
    wish, there = campaign(), cloud(*PAIR, TIGHT)
    plan = make_plan(wish, there).model_copy(update={"closer": None})
    assert verify(wish, there, plan) == []
