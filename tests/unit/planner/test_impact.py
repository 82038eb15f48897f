"""What the release touches decides what a plan cares for; the verifier judges it on its own."""

from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Impact as Row
from escalator.model.plan import Move
from escalator.model.release import Impact, Release
from escalator.upgrade_manager.planner.impact import Brings
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verified import verified_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign

FULL = {"pcpu": 8.0, "mem_mib": 32768.0}


def full(*nodes: Node) -> Inventory:
    """Two full nodes with instances that nothing could move: only what they are not touched by can go there."""
    there = nodes or (Node(id="a", numa=(FULL,)), Node(id="b", numa=(FULL,)))
    stuck = tuple(
        Instance(id=f"vm-{node.id}", project="p", node=node.id, numa_cell=0, demand=FULL, migration="none") for node in there
    )
    return Inventory(nodes=there, instances=stuck)


@pytest.mark.parametrize("impact", ["none", "control"])
def test_what_touches_no_instance_needs_neither_room_nor_consent(impact: Impact) -> None:
    plan = verified_plan(campaign(waves={"max_unavailable": 1}), full(), (), None, brings=Brings({}, impact))
    assert (plan.smooth, plan.impact, len(plan.upgrades), plan.moves, plan.impacts) == (True, impact, 2, (), ())
    first, second = sorted(plan.upgrades, key=lambda upgrade: upgrade.start_s)
    assert second.start_s >= first.end_s  # nodes count as out of service all the same


@pytest.mark.parametrize("impact", ["dataplane", "reboot", None])
def test_everything_else_does(impact: Impact | None) -> None:
    plan = make_plan(campaign(), full(), impact=impact)
    assert not plan.smooth
    assert "ESC-PLN-004" in {condition.code for condition in plan.conditions if not condition.ok}


def test_a_plan_that_moves_what_is_not_touched_is_refused() -> None:
    there, wish = full(), campaign()
    plan = make_plan(wish, there, impact="control")
    assert verify(wish, there, plan, impact="control") == []
    row = Row(instance="vm-a", kind="in-place", node="a", start_s=0.0, end_s=1200.0)
    move = Move(instance="vm-a", origin="a", target="b", start_s=0.0, end_s=10.0)
    for spoilt in (plan.model_copy(update={"impacts": (row,)}), plan.model_copy(update={"moves": (move,)})):
        assert Code.PLN_V_STAY in {violation.code for violation in verify(wish, there, spoilt, impact="control")}


def test_a_plan_for_another_impact_than_the_release_has_is_refused() -> None:
    there, wish = full(), campaign()
    plan = make_plan(wish, there, impact="control")
    found = {violation.code for violation in verify(wish, there, plan, impact="reboot")}
    assert {Code.PLN_V_REPORT, Code.PLN_V_STAY} <= found
    assert verify(wish, there, plan) == []  # offline, what the plan says of itself is all there is


MIXED = (Node(id="a", numa=(FULL,)), Node(id="b", roles=("compute", "storage"), numa=(FULL,)), Node(id="n", roles=("network",)))


def test_what_touches_nothing_goes_to_every_role() -> None:
    plan = make_plan(campaign(scope={"select": {}}), full(*MIXED), impact="none")
    assert (plan.smooth, len(plan.upgrades)) == (True, 3)


def test_a_release_that_spares_instances_cannot_always_reboot() -> None:
    spec = {"version": "1.0.0", "packages": [{"name": "agent", "version": "1"}], "impact": "control", "reboot": "always"}
    with pytest.raises(ValueError, match="its impact is reboot"):
        Release.model_validate({"metadata": {"name": "agent"}, "spec": spec}, strict=False)
