"""The verifier sees every way in which a plan can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Group, Inventory
from escalator.model.plan import Move, Plan
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import MOST, verify
from unit.planner.clouds import campaign, cloud, node, vm

G = Group(id="g", policy="anti-affinity", max_impacted=1, recovery_s=60, lead_s=30)
T = Group(id="t", policy="affinity")
THINGS = (
    node("a", rack="r1"), node("b", rack="r1"), node("c", rack="r2"), node("d", rack="r2"), node("down", state="down"),
    node("old", versions={"hypervisor": "7.1.0"}), node("lab", labels={"lab": "yes"}),
    vm("v1", "a", groups=("g",)), vm("v2", "b", groups=("g",)), vm("s1", "c", groups=("g",), vacate="in-place"),
    vm("t1", "d", groups=("t",)), vm("t2", "d", groups=("t",)), vm("x", "b", demand={"pcpu": 3.0}),
    vm("n", "c", migration="none", vacate="in-place", groups=("t",)),
    G, T,
)  # fmt: skip
SPEC: dict[str, Any] = {
    "scope": {"select": {"names": ["a", "b", "c", "d", "down", "old"]}},
    "waves": {"max_unavailable": 3, "spread": [{"by": "rack", "max": 1}]},
}


def made(**spec: Any) -> tuple[Campaign, Inventory, Plan]:
    wish, there = campaign(**{**SPEC, **spec}), cloud(*THINGS)
    return wish, there, make_plan(wish, there)


def move_of(plan: Plan, instance: str) -> Move:
    return next(move for move in plan.moves if move.instance == instance)


def with_move(plan: Plan, name: str, /, **changes: Any) -> Plan:
    moves = (move.model_copy(update=changes) if move.instance == name else move for move in plan.moves)
    return plan.model_copy(update={"moves": tuple(moves)})


def with_upgrade(plan: Plan, name: str, **changes: Any) -> Plan:
    rows = (row.model_copy(update=changes) if row.node == name else row for row in plan.upgrades)
    return plan.model_copy(update={"upgrades": tuple(rows)})


def behind(plan: Plan, name: str, before: str) -> Plan:
    """The move begins a second after that of another."""
    start, move = move_of(plan, before).end_s + 1, move_of(plan, name)
    return with_move(plan, name, start_s=start, end_s=start + move.end_s - move.start_s)


def totals(plan: Plan, **changes: Any) -> Plan:
    return plan.model_copy(update={"totals": plan.totals.model_copy(update=changes)})


def shifted(plan: Plan, name: str, by_s: float) -> Plan:
    row = plan.upgrade_of[name]
    return with_upgrade(plan, name, start_s=row.start_s + by_s, end_s=row.end_s + by_s)


def at_zero(plan: Plan, name: str) -> Plan:
    return with_upgrade(plan, name, start_s=0.0, end_s=1200.0)


def without_rows(plan: Plan, what: str, count: int = 1) -> Plan:
    return plan.model_copy(update={what: getattr(plan, what)[count:]})


def test_the_plan_that_is_spoiled_below_is_sound() -> None:
    wish, there, plan = made()
    assert plan.smooth
    assert {move.instance for move in plan.moves} >= {"v1", "v2", "x", "t1", "t2"}
    assert verify(wish, there, plan) == []


SPOILED: dict[str, tuple[Callable[[Plan], Plan], Code]] = {
    "a node is forgotten": (lambda p: without_rows(p, "upgrades"), Code.PLN_V_NODES),
    "a node is unknown": (lambda p: with_upgrade(p, "a", node="z"), Code.PLN_V_NODES),
    "a node is upgraded twice": (
        lambda p: p.model_copy(update={"upgrades": (*p.upgrades, p.upgrades[0])}), Code.PLN_V_NODES,
    ),
    "a node out of scope is upgraded": (lambda p: with_upgrade(p, "a", node="lab"), Code.PLN_V_NODES),
    "a node that is down is upgraded": (lambda p: with_upgrade(p, "a", node="down"), Code.PLN_V_STATE),
    "an upgrade is shorter": (
        lambda p: with_upgrade(p, "a", end_s=p.upgrade_of["a"].end_s - 10), Code.PLN_V_DURATION,
    ),
    "a move is longer": (lambda p: with_move(p, "x", end_s=move_of(p, "x").end_s + 1), Code.PLN_V_DURATION),
    "an instance is moved from elsewhere": (lambda p: with_move(p, "x", origin="d"), Code.PLN_V_ORIGIN),
    "an instance is unknown": (lambda p: with_move(p, "x", instance="y"), Code.PLN_V_ORIGIN),
    "an instance moves that cannot": (lambda p: with_move(p, "x", instance="n"), Code.PLN_V_KIND),
    "a target is out of scope": (lambda p: with_move(p, "x", target="lab"), Code.PLN_V_TARGET),
    "a target is down": (lambda p: with_move(p, "x", target="down"), Code.PLN_V_TARGET),
    "a NUMA entry is not there": (lambda p: with_move(p, "x", numa_cell=3), Code.PLN_V_TARGET),
    "a move is not said to be extra": (lambda p: with_move(p, "x", extra=True), Code.PLN_V_EXTRA),
    "a sibling is there": (lambda p: with_move(p, "v1", target="c"), Code.PLN_V_AFFINITY),
    "what belongs together parts": (lambda p: with_move(p, "t1", target="a"), Code.PLN_V_AFFINITY),
    "all nodes go at once": (lambda p: at_zero(at_zero(at_zero(at_zero(p, "a"), "b"), "c"), "d"), Code.PLN_V_UNAVAILABLE),
    "an instance is left": (
        lambda p: p.model_copy(update={"moves": tuple(m for m in p.moves if m.instance != "x")}), Code.PLN_V_STAY,
    ),
    "an impact is forgotten": (lambda p: without_rows(p, "impacts", len(p.impacts)), Code.PLN_V_STAY),
    "an impact is of another kind": (
        lambda p: p.model_copy(update={"impacts": tuple(i.model_copy(update={"kind": "offline"}) for i in p.impacts)}),
        Code.PLN_V_STAY,
    ),
    "an impact comes before its lead time": (
        lambda p: with_move(p, "v1", start_s=0.0, end_s=move_of(p, "v1").end_s - move_of(p, "v1").start_s), Code.PLN_V_LEAD,
    ),
    "siblings are impacted too close together": (
        lambda p: behind(p, "v2", "v1"),
        Code.PLN_V_GROUP,
    ),
    "the totals are wrong": (lambda p: totals(p, moves=1), Code.PLN_V_REPORT),
    "the makespan is wrong": (lambda p: totals(p, makespan_s=1.0), Code.PLN_V_REPORT),
    "it is said not to be smooth": (lambda p: p.model_copy(update={"smooth": False}), Code.PLN_V_REPORT),
    "it undercuts its bounds": (
        lambda p: p.model_copy(update={"bounds": p.bounds.model_copy(update={"makespan_s": 1e6})}), Code.PLN_V_REPORT,
    ),
    "work begins before the plan": (lambda p: p.model_copy(update={"at_s": 5000.0}), Code.PLN_V_LEAD),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILED)
def test_a_plan_that_is_spoiled_is_seen(what: str) -> None:
    wish, there, plan = made()
    spoil, code = SPOILED[what]
    assert code in {violation.code for violation in verify(wish, there, spoil(plan))}


def test_an_over_full_node_is_seen() -> None:
    wish, there, plan = made()
    grown = tuple(i.model_copy(update={"demand": {"pcpu": 9.0}}) if i.id == "x" else i for i in there.instances)
    fuller = Inventory(nodes=there.nodes, instances=grown, groups=there.groups)
    found = [violation for violation in verify(wish, fuller, plan) if violation.code is Code.PLN_V_CAPACITY]
    assert found[0].instance == "x"
    assert "of 8" in found[0].message


def test_more_moves_at_once_than_allowed_are_seen() -> None:
    _, there, plan = made(migration={"per_node": 4})
    wish = campaign(**SPEC, migration={"per_node": 1})
    assert Code.PLN_V_CONCURRENCY in {violation.code for violation in verify(wish, there, plan)}


def test_moves_beyond_the_share_are_seen() -> None:
    things = [thing for n in range(4) for thing in (node(f"n{n}"), vm(f"v{n}", f"n{n}"))]
    plan = make_plan(campaign(), cloud(*things))
    strict = campaign(waves={"max_unavailable": 1, "max_extra_moves": 0.0})
    assert verify(campaign(), cloud(*things), plan) == []
    assert Code.PLN_V_EXTRA in {violation.code for violation in verify(strict, cloud(*things), plan)}


def test_a_turn_that_passes_its_window_is_seen() -> None:
    window = {"days": ["mon"], "start": "01:00", "length_s": 7200.0}
    wish, there = campaign(windows=[window]), cloud(node("a"), node("b"))
    plan = make_plan(wish, there)
    assert verify(wish, there, plan) == []
    late = totals(with_upgrade(plan, "b", start_s=5000.0, end_s=6200.0), makespan_s=6200.0)
    assert {violation.code for violation in verify(wish, there, late)} == {Code.PLN_V_WINDOW}
    assert {violation.code for violation in verify(wish, there, with_upgrade(plan, "b", window=1))} == {Code.PLN_V_WINDOW}


def test_a_reserve_that_does_not_hold_is_seen() -> None:
    there = cloud(node("a"), node("b"))
    plan = make_plan(campaign(), there)
    wish = campaign(waves={"max_unavailable": 1, "reserve_hosts": 2})
    assert Code.PLN_V_RESERVE in {violation.code for violation in verify(wish, there, plan)}


def test_an_older_hypervisor_is_seen() -> None:
    there = cloud(
        node("a", versions={"hypervisor": "8.0.0"}), node("b", versions={"hypervisor": "7.9.0"}), vm("v", "a"), vm("w", "b")
    )
    plan = make_plan(campaign(), there)
    first = plan.moves[0]
    assert (first.origin, first.target) == ("b", "a")  # the other way round goes to what is older
    turned = cloud(
        node("a", versions={"hypervisor": "7.9.0"}), node("b", versions={"hypervisor": "8.0.0"}), vm("v", "a"), vm("w", "b")
    )
    assert Code.PLN_V_TARGET in {violation.code for violation in verify(campaign(), turned, plan)}


def test_a_plan_that_is_wrong_all_over_is_told_in_bounds() -> None:
    things = [node(f"n{n}") for n in range(2 * MOST)]
    wish, there = campaign(waves={"max_unavailable": "100%"}), cloud(*things)
    plan = make_plan(wish, there)
    assert len(verify(campaign(), there, plan)) == MOST
