"""Drift: what changed since the plan, in lines that people read, and what of it was not approved."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.inventory import Group, Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.drift import compare
from escalator.upgrade_manager.planner.make import make_plan
from unit.planner.clouds import campaign, cloud, node, vm

BEFORE = cloud(
    node("a"),
    node("b"),
    node("c"),
    vm("v", "a", vnf="amf"),
    vm("w", "b", project="q", groups=("g",)),
    Group(id="g", max_impacted=1),
)


def changed(**more: Any) -> Inventory:
    parts = {"nodes": BEFORE.nodes, "instances": BEFORE.instances, "groups": BEFORE.groups}
    return Inventory(**{**parts, **more})


def instance(name: str, **update: Any) -> tuple[Any, ...]:
    return tuple(i.model_copy(update=update) if i.id == name else i for i in BEFORE.instances)


def host(name: str, **update: Any) -> tuple[Any, ...]:
    return tuple(n.model_copy(update=update) if n.id == name else n for n in BEFORE.nodes)


def test_the_same_cloud_has_not_drifted() -> None:
    assert compare(BEFORE, BEFORE.model_copy()).empty


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (changed(nodes=host("a", state="down")), "~ node a: up (pcpu 8) -> down (pcpu 8)"),
        (changed(nodes=host("a", maintenance=True)), "~ node a: up (pcpu 8) -> maintenance (pcpu 8)"),
        (changed(nodes=host("a", numa=({"pcpu": 4.0},))), "~ node a: up (pcpu 8) -> up (pcpu 4)"),
        (changed(nodes=BEFORE.nodes[:2]), "- node c"),
        (changed(nodes=(*BEFORE.nodes, node("d"))), "+ node d"),
        (changed(instances=BEFORE.instances[1:]), "- instance v"),
        (changed(instances=(*BEFORE.instances, vm("x", "c"))), "+ instance x"),
        (
            changed(instances=instance("v", node="c")),
            "~ instance v: on a, active, migration live -> on c, active, migration live",
        ),
        (
            changed(instances=instance("v", blocked="busy")),
            "~ instance v: on a, active, migration live -> on a, active, migration live, blocked",
        ),
        (changed(groups=(Group(id="g", max_impacted=2),)), "~ group g"),
    ],
)
def test_each_change_is_one_line(now: Inventory, line: str) -> None:
    assert compare(BEFORE, now).lines == (line,)


def beyond(now: Inventory) -> list[str]:
    plan, child = (make_plan(campaign(), inventory) for inventory in (BEFORE, now))
    assert isinstance(plan, Plan)
    return compare(BEFORE, now).beyond(plan, BEFORE, child, now)


def test_what_stays_inside_the_approval_is_not_beyond_it() -> None:
    assert beyond(changed(instances=instance("w", state="stopped"))) == []
    assert beyond(changed(instances=BEFORE.instances[1:])) == []


def test_more_nodes_fewer_nodes_other_owners_and_more_moves_are_beyond_it() -> None:
    assert "nodes d would be upgraded too" in beyond(changed(nodes=(*BEFORE.nodes, node("d"))))
    assert "nodes c would not be upgraded" in beyond(changed(nodes=host("c", progress="failed")))
    more = (*BEFORE.instances, vm("x", "a", project="r", vnf="upf"))
    said = beyond(changed(instances=more))
    assert "VNF upf, project r would be impacted too" in said
    assert "3 moves instead of 2" in said


def test_a_plan_that_was_approved_without_being_smooth_need_not_become_so() -> None:
    before = changed(instances=instance("v", blocked="busy"))
    now = changed(instances=instance("v", blocked="very busy"))
    plan, child = (make_plan(campaign(), inventory) for inventory in (before, now))
    assert (plan.smooth, child.smooth) == (False, False)
    assert compare(before, now).beyond(plan, before, child, now) == []


def test_a_plan_that_is_not_smooth_any_more_is_beyond_it() -> None:
    assert "the upgrade would not be smooth any more" in beyond(changed(instances=instance("v", blocked="busy")))
