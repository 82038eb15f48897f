"""Groups of nodes and waves that go one after the other, in plans and before the verifier."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan, PlanGroup
from escalator.upgrade_manager.planner.cloud import build
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.progress import Progress
from escalator.upgrade_manager.planner.stages import OTHERS, Stages
from escalator.upgrade_manager.planner.turns import Midway, Staging
from escalator.upgrade_manager.planner.verify.check import verify
from escalator.upgrade_manager.planner.windows import Windows
from unit.planner.clouds import campaign, cloud, failing, left_out, node, vm

CANARY = {"name": "canary", "sample": {"count": 1}, "soak_s": 1800}
REST = {"name": "rest", "after": ["canary"]}
NIGHT = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "01:00", "length_s": 4000}


def made(*things: Any, **spec: Any) -> tuple[Campaign, Inventory, Plan]:
    """A plan that the verifier finds nothing in."""
    groups = spec.pop("groups", ())
    wish = campaign(**{"scope": {"select": {"role": "compute"}, "groups": groups}, **spec})
    there = cloud(*things)
    plan = make_plan(wish, there)
    assert verify(wish, there, plan) == []
    return wish, there, plan


def nodes_of(plan: Plan, name: str) -> tuple[str, ...]:
    return next(group.nodes for group in plan.groups if group.name == name)


def racks(number: int) -> list[Any]:
    return [node(f"n{n}", rack=f"r{n % 3}") for n in range(number)]


WIDE = {"waves": {"max_unavailable": 10}, "estimates": {"upgrade_s": 1000}}


def test_the_rest_begins_when_the_canary_is_through_and_has_soaked() -> None:
    _, _, plan = made(*racks(6), groups=[CANARY, REST], **WIDE)
    (canary,) = nodes_of(plan, "canary")
    assert (plan.upgrade_of[canary].start_s, plan.upgrade_of[canary].end_s) == (0.0, 1000.0)
    assert {plan.upgrade_of[n].start_s for n in nodes_of(plan, "rest")} == {2800.0}
    assert plan.totals.makespan_s == 3800.0
    assert (plan.bounds.makespan_s, plan.bounds.binding) == (3800.0, "groups")
    assert plan.smooth
    assert all(plan.upgrade_of[n].waits == "group canary soaks until then" for n in nodes_of(plan, "rest"))


def test_a_sample_is_the_same_in_whatever_order_the_cloud_tells_its_nodes_and_is_spread() -> None:
    sample = {"name": "canary", "sample": {"count": 3, "spread": "rack"}}
    _, _, plan = made(*racks(9), groups=[sample, REST], **WIDE)
    _, _, again = made(*reversed(racks(9)), groups=[sample, REST], **WIDE)
    assert nodes_of(plan, "canary") == nodes_of(again, "canary")
    assert {int(name[1:]) % 3 for name in nodes_of(plan, "canary")} == {0, 1, 2}


@pytest.mark.parametrize(("percent", "size"), [(10, 1), (25, 2), (50, 4), (100, 9)])
def test_a_sample_in_percent_is_rounded_down_and_at_least_one(percent: float, size: int) -> None:
    _, _, plan = made(*racks(9), groups=[{"name": "canary", "sample": {"percent": percent}}, REST], **WIDE)
    assert len(nodes_of(plan, "canary")) == size


def test_a_node_that_cannot_be_upgraded_is_no_sample() -> None:
    things = [node("a", state="down"), node("b", hold="held by a person"), node("c")]
    _, _, plan = made(*things, groups=[CANARY, REST], **WIDE)
    assert nodes_of(plan, "canary") == ("c",)


def test_the_first_group_that_takes_a_node_has_it_and_nodes_of_none_come_last() -> None:
    groups = [
        {"name": "one", "select": {"names": ["n0", "n1"]}},
        {"name": "two", "select": {"names": ["n1", "n2"]}, "after": ["one"]},
    ]
    _, _, plan = made(*racks(5), groups=groups, **WIDE)
    assert [(g.name, g.nodes) for g in plan.groups] == [("one", ("n0", "n1")), ("two", ("n2",)), (OTHERS, ("n3", "n4"))]
    assert [plan.upgrade_of[f"n{n}"].start_s for n in range(5)] == [0.0, 0.0, 1000.0, 2000.0, 2000.0]


def test_groups_that_do_not_wait_for_one_another_go_together() -> None:
    groups = [{"name": "one", "select": {"names": ["n0"]}}, {"name": "two", "select": {"names": ["n1"]}}]
    _, _, plan = made(*racks(2), groups=groups, **WIDE)
    assert [plan.upgrade_of[f"n{n}"].start_s for n in range(2)] == [0.0, 0.0]


def test_a_group_that_others_come_after_needs_a_node() -> None:
    groups = [{"name": "canary", "select": {"names": ["none"]}}, REST]
    _, _, plan = made(*racks(2), groups=groups, **WIDE)
    assert "ESC-PLN-020" in failing(plan)


def test_a_canary_without_room_leaves_the_plan_not_smooth_with_the_rest_as_its_feasible_part() -> None:
    things = [
        node("a"),
        vm("v", "a", demand={"pcpu": 4.0}),
        node("b"),
        vm("w", "b", demand={"pcpu": 4.0}),
        node("c", numa=({"pcpu": 1.0},)),
    ]
    groups = [{"name": "canary", "select": {"names": ["a"]}}, REST]
    _, _, plan = made(*things, groups=groups, waves={"max_unavailable": 1, "max_extra_moves": 0})
    assert not plan.smooth
    assert "c" in plan.upgrade_of
    assert "a" in left_out(plan)


def test_a_pause_between_waves_makes_them_follow_one_another() -> None:
    things = [node("a"), node("b"), vm("v", "b"), node("c"), vm("w", "c")]
    _, _, plan = made(*things, waves={"max_unavailable": 2, "soak_s": 600}, estimates={"upgrade_s": 1000})
    ends = {wave: max(u.end_s for u in plan.upgrades if u.wave == wave) for wave in {u.wave for u in plan.upgrades}}
    begins = {wave: min(u.start_s for u in plan.upgrades if u.wave == wave) for wave in ends}
    assert len(ends) == 2
    assert begins[2] >= ends[1] + 600


def test_soaking_goes_by_the_clock_on_the_wall_and_passes_between_nights() -> None:
    canary = {"name": "canary", "sample": {"count": 1}, "soak_s": 50_000}
    _, _, plan = made(*racks(3), groups=[canary, REST], windows=[NIGHT], **WIDE)
    assert {plan.upgrade_of[n].start_s for n in nodes_of(plan, "rest")} == {4000.0}
    longer = {"name": "canary", "sample": {"count": 1}, "soak_s": 100_000}
    _, _, plan = made(*racks(3), groups=[longer, REST], windows=[NIGHT], **WIDE)
    assert {plan.upgrade_of[n].window for n in nodes_of(plan, "rest")} == {2}


def test_a_plan_for_the_rest_keeps_the_sample_and_what_is_left_of_its_soak() -> None:
    wish, there, plan = made(*racks(4), groups=[CANARY, REST], **WIDE)
    (canary,) = nodes_of(plan, "canary")
    now = cloud(*(n.model_copy(update={"progress": "failed"}) if n.id == canary else n for n in there.nodes))
    child = make_plan(wish, now, progress=Progress(at_s=1100, parent=plan, over={canary: 1100.0}))
    assert verify(wish, now, child) == []
    assert nodes_of(child, "canary") == (canary,)
    assert {child.upgrade_of[n].start_s for n in nodes_of(child, "rest")} == {2900.0}


def test_the_verifier_sees_who_begins_too_early_and_who_is_in_the_wrong_group() -> None:
    wish, there, plan = made(*racks(4), groups=[CANARY, REST], **WIDE)
    early = [u.model_copy(update={"start_s": 2000.0, "end_s": 3000.0}) if u.start_s > 0 else u for u in plan.upgrades]
    bad = [
        plan.model_copy(update={"upgrades": tuple(early)}),
        plan.model_copy(update={"groups": ()}),
        plan.model_copy(update={"groups": (plan.groups[0].model_copy(update={"nodes": plan.groups[1].nodes}), *plan.groups[1:])}),
        plan.model_copy(update={"groups": (plan.groups[0].model_copy(update={"soak_s": 1.0}), *plan.groups[1:])}),
    ]
    for other in bad:
        # What a plan has computed of itself once is not of a copy.
        fresh = Plan.model_validate_json(other.model_dump_json(by_alias=True))
        assert Code.PLN_V_STAGES in {violation.code for violation in verify(wish, there, fresh)}


def test_the_verifier_sees_waves_without_their_pause() -> None:
    things = [node("a"), node("b"), vm("v", "b")]
    _, there, plan = made(*things, waves={"max_unavailable": 1}, estimates={"upgrade_s": 1000})
    wish = campaign(waves={"max_unavailable": 1, "soak_s": 60}, estimates={"upgrade_s": 1000})
    assert Code.PLN_V_STAGES in {violation.code for violation in verify(wish, there, plan)}


@pytest.mark.parametrize(("soak_s", "said"), [(0.0, "group canary comes first"), (60.0, "group canary soaks until then")])
def test_a_group_that_does_not_soak_is_not_said_to(soak_s: float, said: str) -> None:
    there = cloud(node("a"), node("b"))
    spec = campaign(scope={"select": {}})
    numbers = build(spec, there, {}, there.nodes, ())
    canary = PlanGroup(name="canary", soak_s=soak_s, nodes=("a",))
    stages = Stages(numbers, Staging((canary, PlanGroup(name="rest", after=("canary",), nodes=("b",)))), Windows(), Midway())
    stages.ended(0, 1005.0)  # ends so close together are looked at as one
    kept = stages.held_back(1, 0, 1000.0)
    assert (kept.reason if kept else "") == said
