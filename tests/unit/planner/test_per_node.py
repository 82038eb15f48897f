"""Groups that allow several members on one node, and no more: in plans, in their check, and in what is declared."""

from __future__ import annotations

from collections import Counter

import pytest

from escalator.model.codes import Code
from escalator.model.constraint import Constraint, ConstraintKind
from escalator.model.document import Source, load
from escalator.model.errors import InputError
from escalator.model.inventory import Group, Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.constraints import constrained, declared
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.room import Room
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, node, vm

SIX = [vm(f"v{n}", "abc"[n // 2], groups=("g",), demand={"pcpu": 1.0}) for n in range(6)]
"""Two on each of three nodes, which have room for all of them."""
NODES = [node(name) for name in "abcd"]


def most_together(plan: Plan, inventory: Inventory) -> int:
    """The most members of g that one node ever has, moving ones at both ends."""
    there = Counter(i.node for i in inventory.instances)
    most = max(there.values())
    events = [e for m in plan.moves for e in ((m.end_s, 0, m.origin, -1), (m.start_s, 1, m.target, 1))]
    for _, _, name, sign in sorted(events):
        there[name] += sign
        most = max(most, there[name])
    return most


@pytest.mark.parametrize("policy", ["none", "soft-anti-affinity", "soft-affinity"])
@pytest.mark.parametrize("most", [2, 3])
def test_no_node_has_more_members_than_that_at_any_time(policy: str, most: int) -> None:
    group = Group.model_validate({"id": "g", "policy": policy, "max_per_node": most, "max_impacted": 6})
    wish, inventory = campaign(waves={"max_extra_moves": 1.0}), cloud(*NODES, *SIX, group)
    plan = make_plan(wish, inventory)
    assert (len(plan.upgrades), plan.smooth, verify(wish, inventory, plan)) == (4, True, [])
    assert most_together(plan, inventory) <= most


def test_without_the_number_they_crowd_on_fewer_nodes() -> None:
    inventory = cloud(*NODES, *SIX, Group(id="g", max_impacted=6))
    assert most_together(make_plan(campaign(waves={"max_extra_moves": 1.0}), inventory), inventory) > 2


def test_a_plan_that_puts_one_more_there_is_found_out() -> None:
    wish = campaign(waves={"max_extra_moves": 1.0})
    loose = cloud(*NODES, *SIX, Group(id="g", max_impacted=6))
    plan, most = make_plan(wish, loose), 2
    assert most_together(plan, loose) > most
    strict = cloud(*NODES, *SIX, Group(id="g", max_impacted=6, max_per_node=most))
    found = [v for v in verify(wish, strict, plan) if v.code is Code.PLN_V_AFFINITY]
    assert found
    assert "one more than the 2 members that g allows on" in found[0].message
    enough = cloud(*NODES, *SIX, Group(id="g", max_impacted=6, max_per_node=most_together(plan, loose)))
    assert verify(wish, enough, plan) == []


def test_room_for_another_one_is_where_the_group_allows_it() -> None:
    inventory = cloud(*NODES, *SIX, Group(id="g", max_per_node=3))
    fits = {name: Room(inventory).fit(inventory.instance_by_id["v0"], inventory.node_by_id[name]) for name in "bcd"}
    assert None not in fits.values()
    tight = cloud(*NODES, *SIX, Group(id="g", max_per_node=2))
    fits = {name: Room(tight).fit(tight.instance_by_id["v0"], tight.node_by_id[name]) for name in "bcd"}
    assert [name for name, cells in fits.items() if cells is not None] == ["d"]


def says(kind: ConstraintKind, name: str, **spec: object) -> Constraint:
    return load(Constraint, Source({"kind": kind, "id": name, "spec": spec}), code=Code.API_BODY)


@pytest.mark.parametrize(
    ("policy", "cloud_allows", "declared_most", "then"),
    [
        ("none", None, 2, 2),
        ("soft-anti-affinity", 3, 2, 2),
        ("soft-anti-affinity", 2, 3, 2),
        ("anti-affinity", None, 2, 1),
        ("soft-affinity", None, 2, 2),
        ("affinity", None, 2, None),
    ],
)
def test_what_is_declared_makes_the_clouds_own_rule_only_stricter(
    policy: str, cloud_allows: int | None, declared_most: int, then: int | None
) -> None:
    group = Group.model_validate({"id": "g", "policy": policy, "max_per_node": cloud_allows})
    inventory = cloud(node("a"), vm("v", "a", groups=("g",)), group)
    (found,) = constrained(inventory, declared([says("group", "g", max_per_node=declared_most)])).groups
    assert found.per_node == then


def test_apart_and_a_number_together_are_apart() -> None:
    inventory = cloud(node("a"), vm("v", "a", groups=("g",)), Group(id="g"))
    (found,) = constrained(inventory, declared([says("group", "g", max_per_node=2, anti_affinity=True)])).groups
    assert found.per_node == 1


@pytest.mark.parametrize("kind", ["instance", "vnf", "project"])
def test_only_a_group_has_members_on_a_node(kind: ConstraintKind) -> None:
    with pytest.raises(InputError, match="max_per_node is said of a group"):
        says(kind, "g", max_per_node=2)
