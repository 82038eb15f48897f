"""Instances larger than any node: that is said, and not that hosts are missing."""

from __future__ import annotations

from escalator.model.inventory import Requires
from unit.planner.clouds import failing, node, plan_of, vm

HOSTS = [node("n1"), node("n2"), node("n3", numa=({"pcpu": 10.0}, {"pcpu": 6.0}))]


def test_what_no_node_could_hold_is_named_with_the_largest_there_is() -> None:
    plan = plan_of(*HOSTS, vm("big", "n1", demand={"pcpu": 800.0}))
    found = failing(plan)
    assert set(found) == {"ESC-PLN-016"}
    assert "1 instance that has to move is larger than any node of the cloud" in found["ESC-PLN-016"].message
    assert (
        "instance big: it needs pcpu 800 in one NUMA entry, the most that a node has is 10 (n3)" in found["ESC-PLN-016"].message
    )
    assert "correct its demand" in found["ESC-PLN-016"].remedy
    reasons = {left.node: left.reason for left in plan.totals.not_upgraded}
    assert reasons["n1"].startswith("no node could ever hold instance big: it needs pcpu 800")


def test_a_resource_that_no_node_has_is_told_as_such() -> None:
    found = failing(plan_of(*HOSTS, vm("typo", "n1", demand={"pcpus": 2.0})))
    assert found["ESC-PLN-016"].message.endswith("instance typo: it needs pcpus 2 in one NUMA entry, no node has any")


def test_what_spans_entries_needs_its_amount_in_each() -> None:
    found = failing(plan_of(*HOSTS, vm("wide", "n3", demand={"pcpu": 7.0}, numa_span=2)))
    assert "it needs pcpu 7 in each of its NUMA entries, the most that a node has is 6 (n3)" in found["ESC-PLN-016"].message


def test_no_hosts_are_counted_for_others_as_long_as_one_is_impossible() -> None:
    full = [vm(f"v{n}", n, demand={"pcpu": 8.0}) for n in ("n1", "n2", "n3")]
    found = failing(plan_of(node("n1"), node("n2"), node("n3"), *full, vm("big", "n2", demand={"pcpu": 80.0})))
    assert found["ESC-PLN-003"].remedy.startswith("mend ESC-PLN-016 first")
    assert "n2" not in found["ESC-PLN-003"].message


def test_what_fits_an_empty_node_lacks_room_and_nothing_else() -> None:
    found = failing(plan_of(node("n1"), node("n2"), vm("a", "n1", demand={"pcpu": 6.0}), vm("b", "n2", demand={"pcpu": 6.0})))
    assert set(found) == {"ESC-PLN-003"}


def test_what_no_node_offers_is_told_as_such() -> None:
    found = failing(plan_of(*HOSTS, node("n4", az="az1"), vm("far", "n1", requires=Requires(az="az9", traits=("X",)))))
    assert set(found) == {"ESC-PLN-016"}
    assert found["ESC-PLN-016"].message == (
        "1 instance that has to move could go to no node of the cloud: instance far: it requires az az9, trait X,"
        " no node offers az az9, trait X"
    )
    small = failing(
        plan_of(node("n1"), node("n2", az="az1", numa=({"pcpu": 1.0},)), vm("far", "n1", requires=Requires(az="az1")))
    )
    assert "no node that offers it could hold pcpu 2" in small["ESC-PLN-016"].message


def test_an_impossible_demand_is_named_whatever_else_is_wrong_with_its_node() -> None:
    pinned = vm("lone", "n1", migration="none")
    found = failing(plan_of(*HOSTS, pinned, vm("big", "n1", demand={"pcpu": 20.0}), vm("v", "n2", demand={"foo": 1.0})))
    assert set(found) == {"ESC-PLN-004", "ESC-PLN-016"}
    assert "instance big: it needs pcpu 20" in found["ESC-PLN-016"].message
    assert "instance v: it needs foo 1" in found["ESC-PLN-016"].message
