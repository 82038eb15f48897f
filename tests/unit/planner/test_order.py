"""What has to end before a node's turn."""

from __future__ import annotations

from escalator.model.inventory import Group
from escalator.upgrade_manager.planner.order import predecessors
from unit.planner.clouds import cloud, node, order, plan_of, vm


def test_a_node_waits_for_its_targets_that_are_upgraded_before() -> None:
    things = (node("a"), node("b"), vm("v", "a"))
    assert predecessors(plan_of(*things), cloud(*things)) == {"b": frozenset(), "a": frozenset({"b"})}


def test_a_node_that_takes_something_waits_for_where_it_comes_from() -> None:
    things = (node("a"), node("b"), vm("v", "a"), vm("w", "b"))
    plan = plan_of(*things)
    extra = next(m for m in plan.moves if m.extra)
    assert extra.origin in predecessors(plan, cloud(*things))[extra.target]


def test_nodes_that_share_a_group_go_in_the_order_of_their_waves() -> None:
    stay = {"groups": ("g",), "vacate": "in-place"}
    things = (node("a"), node("b"), vm("v", "a", **stay), vm("w", "b", **stay), Group(id="g", max_impacted=1))
    plan = plan_of(*things, waves={"max_unavailable": 2})
    first, second = sorted(plan.upgrades, key=lambda u: u.wave)
    assert predecessors(plan, cloud(*things)) == {first.node: frozenset(), second.node: frozenset({first.node})}


def test_nodes_that_share_nothing_wait_for_nothing() -> None:
    things = (node("a"), node("b"), node("c"))
    assert set(predecessors(plan_of(*things), cloud(*things)).values()) == {frozenset()}


def test_what_manages_vnfs_goes_last_although_its_node_is_the_emptiest() -> None:
    guests = [vm(f"v{name}{n}", name) for name in "bcd" for n in range(3)]
    things = (*(node(name) for name in "abcde"), vm("vnfm", "a", management=True), *guests)
    plan = plan_of(*things)
    assert plan.smooth
    assert order(plan)[-1] == "a"
    assert predecessors(plan, cloud(*things))["a"] == {"b", "c", "d", "e"}
