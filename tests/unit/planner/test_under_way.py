"""What is under way when a plan is made goes on, whatever has been told of it since; nobody holds it against the plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from escalator.model.campaign import Campaign
from escalator.model.inventory import Group, Inventory, Requires
from escalator.model.plan import Move, Plan, PlanGroup
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.progress import Progress, Started
from escalator.upgrade_manager.planner.repair.repaired import repaired
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, node, vm

AT_S = 100.0
BEGUN = {"a": Started(away_s=90.0)}


def running(instance: str, origin: str, target: str) -> Move:
    return Move.model_validate({"instance": instance, "from": origin, "to": target, "start_s": AT_S - 2, "end_s": AT_S + 8.0})


Make = Callable[[Campaign, Inventory, Progress], Plan]


def made(wish: Campaign, there: Inventory, progress: Progress) -> Plan:
    return make_plan(wish, there, progress=progress)


def mended(wish: Campaign, there: Inventory, progress: Progress) -> Plan:
    plan = repaired(wish, there, (), None, progress)
    assert plan is not None
    return plan


def sound(things: tuple[Any, ...], progress: Progress, **spec: Any) -> Plan:
    """A plan from there in which the verifier finds nothing."""
    wish, there = campaign(**spec), cloud(*things)
    plan = make_plan(wish, there, progress=progress)
    assert verify(wish, there, plan) == []
    return plan


def test_a_lead_time_that_was_raised_is_no_concern_of_an_upgrade_under_way() -> None:
    group = Group(id="g", max_impacted=1, lead_s=9000.0)
    things = (node("a", progress="upgrading"), vm("v", "a", vacate="in-place", groups=("g",)), group)
    plan = sound(things, Progress(at_s=AT_S, started={"a": Started(away_s=50.0, start_s=50.0)}))
    assert plan.impacts[0].start_s == 50.0


def test_a_group_that_allows_less_on_a_node_than_before_does_not_call_a_move_back() -> None:
    group = Group(id="g", max_per_node=1, max_impacted=2)
    things = (
        node("a", progress="draining"), node("x", progress="done"),
        vm("v", "a", groups=("g",)), vm("w", "x", groups=("g",)), group,
    )  # fmt: skip
    plan = sound(things, Progress(at_s=AT_S, started=BEGUN, moves=(running("v", "a", "x"),)))
    assert [(move.instance, move.target) for move in plan.moves] == [("v", "x")]


def test_a_move_goes_on_to_a_node_that_offers_less_since() -> None:
    things = (
        node("a", progress="draining", versions={"hypervisor": "7.2"}),
        node("x", progress="done", versions={"hypervisor": "7.1"}),
        vm("v", "a", requires=Requires(traits=("T",))),
    )  # fmt: skip
    plan = sound(things, Progress(at_s=AT_S, started=BEGUN, moves=(running("v", "a", "x"),)))
    assert [(move.instance, move.target) for move in plan.moves] == [("v", "x")]


def test_a_node_that_is_out_of_service_empties_onto_the_last_host_of_the_reserve() -> None:
    things = (node("a", progress="draining"), node("x", progress="done"), node("y", state="down"), vm("v", "a"))
    plan = sound(things, Progress(at_s=AT_S, started=BEGUN), waves={"max_unavailable": 3, "reserve_hosts": 1})
    assert [(move.instance, move.target) for move in plan.moves] == [("v", "x")]


def test_a_turn_that_begins_at_this_very_moment_needs_no_window_that_is_long_enough() -> None:
    """The way back begins with nodes that are out of service already."""
    windows = [{"days": ["sat"], "start": "01:00", "length_s": 2000.0}]
    plan = sound((node("a", progress="draining"), node("x", progress="done"), vm("v", "a")), Progress(), windows=windows)
    assert [upgrade.node for upgrade in plan.upgrades] == ["a"]


@pytest.mark.parametrize("make", [made, mended])
def test_an_instance_that_was_started_during_the_upgrade_of_its_node_is_impacted_where_it_is(make: Make) -> None:
    before = (node("a"), node("b"), vm("v", "a", state="stopped"))
    parent = make_plan(campaign(), cloud(*before))
    now = (node("a", progress="upgrading"), node("b"), vm("v", "a"))
    progress = Progress(at_s=AT_S, parent=parent, started={"a": Started(away_s=0.0, start_s=0.0)})
    plan = make(campaign(), cloud(*now), progress)
    assert verify(campaign(), cloud(*now), plan) == []
    assert [(row.instance, row.kind) for row in plan.impacts] == [("v", "in-place")]


@pytest.mark.parametrize("of", [{"rack": "r"}, {"roles": ("control",)}])
def test_a_node_that_reboots_in_its_turn_counts_once_in_its_rack_and_its_cluster(of: dict[str, Any]) -> None:
    things = (node("a", progress="upgrading", state="down", **of), node("b", **of))
    spec = {"waves": {"max_unavailable": 3, "spread": [{"by": "rack", "max": 1}]}}
    plan = sound(things, Progress(at_s=AT_S, started={"a": Started(away_s=50.0, start_s=50.0)}), **spec)
    assert [(upgrade.node, upgrade.start_s) for upgrade in plan.upgrades] == [("a", 50.0), ("b", 1250.0)]


def test_a_sample_stays_as_it_was_drawn_when_nodes_are_gone_or_change() -> None:
    rules = [
        {"name": "canary", "select": {"labels": {"model": "new"}}, "sample": {"percent": 50}},
        {"name": "rest", "after": ["canary"]},
    ]
    parent = Plan(
        smooth=True,
        groups=(PlanGroup(name="canary", nodes=("a", "b")), PlanGroup(name="rest", after=("canary",), nodes=("c",))),
    )
    things = (node("a", labels={"model": "new"}), node("b"), node("c"))
    plan = sound(things, Progress(at_s=AT_S, parent=parent), scope={"select": {}, "groups": rules})
    assert plan.groups == parent.groups
