"""Kinds of nodes in plans: in the order of their layers, one of a cluster at a time, the master last; checked by the verifier."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Plan
from escalator.model.roles import USUAL, OrderError, merged
from escalator.upgrade_manager.planner.impact import NOTHING, Brings
from escalator.upgrade_manager.planner.kinds import backwards, ordered
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verified import verified_plan
from escalator.upgrade_manager.planner.verify.check import verify

CELL = {"pcpu": 16.0}


def campaign(**spec: Any) -> Campaign:
    base = {"mode": "smooth", "scope": {"select": {}}, "waves": {"max_unavailable": 4, "max_extra_moves": 2.0}}
    return Campaign.model_validate({"metadata": {"name": "c"}, "spec": {**base, **spec}}, strict=False)


def node(name: str, *roles: str, **more: Any) -> Node:
    return Node.model_validate(
        {"id": name, "roles": roles, "numa": (CELL,) if "compute" in roles else ({},), **more}, strict=False
    )


def site(*more: Node) -> Inventory:
    nodes = (
        node("n1", "network"),
        *(node(f"a{n}", "compute") for n in (1, 2, 3)),
        *(node(f"c{n}", "control", master=n == 1) for n in (1, 2, 3)),
        node("s1", "storage"),
        node("s2", "storage"),
        *more,
    )
    vms = tuple(Instance(id=f"vm-{n}", project="p", node=f"a{n}", numa_cell=0, demand={"pcpu": 4.0}) for n in (1, 2))
    return Inventory(nodes=nodes, instances=vms)


def sequence(plan: Plan) -> list[str]:
    return [upgrade.node for upgrade in sorted(plan.upgrades, key=lambda u: (u.start_s, u.node))]


def kinds(plan: Plan) -> str:
    return "".join(dict.fromkeys(name[0] for name in sequence(plan)))


def codes(plan: Plan, wish: Campaign, there: Inventory, **more: Any) -> set[Code]:
    return {violation.code for violation in verify(wish, there, plan, **more)}


def test_kinds_go_one_after_the_other_and_the_master_is_the_last_of_its_cluster() -> None:
    plan = verified_plan(campaign(), site(), frozenset(), None)
    assert (plan.smooth, plan.order) == (True, USUAL)
    assert kinds(plan) == "cnsa"
    assert sequence(plan)[:3] == ["c2", "c3", "c1"]


@pytest.mark.parametrize(
    ("brings", "order", "expected"),
    [
        (Brings({"sdn": "1.0.0"}), {}, "sanc"),
        (Brings({"sdn": "1.0.0"}, None, {"sdn": ("network", "control")}), {}, "ncsa"),
        (Brings({"sdn": "1.0.0"}), {"sdn": ["control", "network", "storage", "compute"]}, "cnsa"),
        (Brings({"sdn": "1.0.0"}), {"control": ["compute", "control"]}, "sanc"),
        (Brings({"storage": "1.0.0", "agent": "1.0.0"}), {}, "cnsa"),
    ],
)
def test_the_order_is_the_operators_else_the_releases_else_the_layers_own(brings: Brings, order: Any, expected: str) -> None:
    assert kinds(verified_plan(campaign(order=order), site(), frozenset(), None, brings=brings)) == expected


def test_the_way_back_goes_the_other_way_round() -> None:
    wish = backwards(campaign(), Brings({"control": "1.0.0"}))
    assert kinds(verified_plan(wish, site(), frozenset(), None)) in ("anc" + "s", "sanc")
    assert kinds(verified_plan(backwards(campaign(), NOTHING), site(), frozenset(), None)) == "asnc"


def test_a_node_of_several_kinds_goes_after_its_first_kind_and_before_its_last() -> None:
    there = site(node("h1", "control", "compute"), node("b1", "compute", "storage"))
    plan = verified_plan(campaign(), there, frozenset(), None)
    assert plan.smooth
    assert kinds(plan) == "chnsba"


def test_layers_that_contradict_one_another_are_told_with_what_to_do() -> None:
    brings = Brings({"sdn": "1.0.0", "control": "1.0.0"})
    plan = verified_plan(campaign(), site(), frozenset(), None, brings=brings)
    (said,) = [condition for condition in plan.conditions if not condition.ok]
    assert (said.code, plan.smooth) == (Code.UPG_ORDER.value, False)
    assert "sdn: compute, network, control" in said.message
    assert verified_plan(campaign(order={"sdn": ["control", "compute"]}), site(), frozenset(), None, brings=brings).smooth


def test_groups_of_the_campaign_have_to_go_as_kinds_do() -> None:
    one = {"name": "all"}
    plan = verified_plan(campaign(scope={"select": {}, "groups": [one]}), site(), frozenset(), None)
    assert [c.code for c in plan.conditions if not c.ok] == [Code.UPG_ORDER.value]
    groups = [{"name": role, "select": {"role": role}, "after": list(USUAL[:place])} for place, role in enumerate(USUAL)]
    plan = verified_plan(campaign(scope={"select": {}, "groups": groups}), site(), frozenset(), None)
    assert (plan.smooth, kinds(plan)) == (True, "cnsa")


def test_a_member_that_is_down_keeps_the_others_of_its_cluster_in_service() -> None:
    there = site()
    down = tuple(n.model_copy(update={"state": "down"}) if n.id == "c3" else n for n in there.nodes)
    plan = verified_plan(campaign(), Inventory(nodes=down, instances=there.instances), frozenset(), None)
    assert not plan.smooth
    assert "c1" not in plan.upgrade_of


def test_clusters_of_their_own_go_side_by_side() -> None:
    apart = [node(f"s{n}", "storage", labels={"storage-cluster": f"ceph-{n}"}) for n in (1, 2)]
    plan = verified_plan(campaign(), Inventory(nodes=tuple(apart)), frozenset(), None)
    assert {upgrade.start_s for upgrade in plan.upgrades} == {0.0}
    together = Inventory(nodes=tuple(node(f"s{n}", "storage") for n in (1, 2)))
    assert codes(plan, campaign(), together) == {Code.UPG_ORDER}


def racks(*names: str) -> Inventory:
    return Inventory(nodes=tuple(node(f"s{n}", "storage", rack=name or None) for n, name in enumerate(names)))


def starts(plan: Plan) -> list[set[str]]:
    found: dict[float, set[str]] = {}
    for upgrade in sorted(plan.upgrades, key=lambda u: u.start_s):
        found.setdefault(upgrade.start_s, set()).add(upgrade.node)
    return [*found.values()]


def test_storage_nodes_of_one_failure_domain_go_together_when_the_campaign_says_so() -> None:
    waves = {"max_unavailable": 4, "storage_domain": "rack"}
    there = racks("r1", "r1", "r2", "r2", "")
    plan = verified_plan(campaign(waves=waves), there, frozenset(), None)
    assert sorted(map(sorted, starts(plan))) == [["s0", "s1"], ["s2", "s3"], ["s4"]]
    assert codes(plan, campaign(), there) == {Code.UPG_ORDER}  # where it does not say so, none may
    assert len(starts(verified_plan(campaign(), there, frozenset(), None))) == 5


def test_the_verifier_sees_two_failure_domains_away_at_once_and_nodes_without_one() -> None:
    wish = campaign(waves={"max_unavailable": 4, "storage_domain": "rack"})
    plan = verified_plan(wish, racks("r1", "r1"), frozenset(), None)
    assert codes(plan, wish, racks("r1", "r1")) == set()
    assert codes(plan, wish, racks("r1", "r2")) == codes(plan, wish, racks("", "")) == {Code.UPG_ORDER}


def test_of_a_failure_domain_with_a_node_that_is_down_the_others_may_go_and_no_other_domain() -> None:
    there = racks("r1", "r1", "r2")
    down = Inventory(nodes=tuple(n.model_copy(update={"state": "down"}) if n.id == "s0" else n for n in there.nodes))
    plan = verified_plan(campaign(waves={"max_unavailable": 4, "storage_domain": "rack"}), down, frozenset(), None)
    assert sequence(plan) == ["s1"]


def test_the_verifier_sees_another_order_a_master_too_early_and_a_plan_that_says_nothing() -> None:
    wish, there = campaign(), site()
    plan = make_plan(wish, there)
    swap = {"c1": "c2", "c2": "c1"}
    early = tuple(u.model_copy(update={"node": swap.get(u.node, u.node)}) for u in plan.upgrades)
    assert Code.UPG_ORDER in codes(plan.model_copy(update={"upgrades": early}), wish, there)
    swap = {"n1": "s1", "s1": "n1"}
    other = tuple(u.model_copy(update={"node": swap.get(u.node, u.node)}) for u in plan.upgrades)
    assert Code.UPG_ORDER in codes(plan.model_copy(update={"upgrades": other}), wish, there)
    assert codes(plan.model_copy(update={"order": ()}), wish, there) == {Code.UPG_ORDER}
    turned = ordered(campaign(order={"os": ["compute", "control"]}), Brings({"os": "1.0.0"}))
    assert codes(plan, turned, there, impact="reboot") == {Code.UPG_ORDER, Code.PLN_V_REPORT}


def test_a_release_that_touches_nothing_goes_everywhere_at_once() -> None:
    plan = make_plan(campaign(waves={"max_unavailable": 9}), site(), impact="none")
    assert ({upgrade.start_s for upgrade in plan.upgrades}, plan.order) == ({0.0}, ())


def test_control_nodes_are_no_reserve_and_no_first_node_to_empty() -> None:
    plan = verified_plan(campaign(waves={"max_unavailable": 2, "reserve_hosts": 2}), site(), frozenset(), None)
    assert not plan.smooth


@pytest.mark.parametrize("more", [(), ("c9", "control")])
def test_the_first_host_may_be_emptied_where_control_nodes_hold_nothing(more: tuple[str, ...]) -> None:
    full = Instance(id="vm-3", project="p", node="a3", numa_cell=0, demand={"pcpu": 4.0})
    there = site(*([node(*more)] if more else []))
    there = Inventory(nodes=there.nodes, instances=(*there.instances, full))
    plan = verified_plan(campaign(waves={"max_unavailable": 1, "max_extra_moves": 0.02}), there, frozenset(), None)
    assert (plan.smooth, sum(move.extra for move in plan.moves)) == (True, 1)


def test_a_control_node_with_an_instance_is_emptied_where_no_host_can_be() -> None:
    there = Inventory(
        nodes=(node("c1", "control"), node("c2", "control"), node("a1", "compute")),
        instances=tuple(Instance(id=f"vm-{n}", project="p", node=n, numa_cell=0, demand={"pcpu": 4.0}) for n in ("c1", "a1")),
    )
    plan = verified_plan(campaign(waves={"max_unavailable": 1, "max_extra_moves": 0.02}), there, frozenset(), None)
    assert ([(move.instance, move.target) for move in plan.moves], plan.smooth) == ([("vm-c1", "a1")], False)


ORDERS = [order for size in (2, 3, 4) for order in permutations(USUAL, size)]


@given(st.lists(st.sampled_from(ORDERS), max_size=3))
def test_merged_orders_follow_each_of_them_or_are_refused(orders: list[Any]) -> None:
    try:
        found = merged(orders)
    except OrderError:
        assert not any(
            all([role for role in one if role in order] == list(order) for order in orders) for one in permutations(USUAL)
        )
        return
    assert sorted(found) == sorted(USUAL)
    assert all([role for role in found if role in order] == list(order) for order in orders)


ROLES = st.lists(st.sampled_from(USUAL), min_size=1, max_size=2, unique=True)


@given(st.lists(st.tuples(ROLES, st.booleans()), min_size=1, max_size=7), st.sampled_from(ORDERS), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_every_plan_of_mixed_nodes_holds_before_the_verifier(made: list[Any], order: Any, width: int) -> None:
    nodes = tuple(node(f"n{number}", *roles, master=master) for number, (roles, master) in enumerate(made))
    hosts = [n.id for n in nodes if "compute" in n.roles]
    vms = tuple(Instance(id=f"vm-{n}", project="p", node=n, numa_cell=0, demand={"pcpu": 4.0}) for n in hosts[:3])
    wish = campaign(order={"os": order}, waves={"max_unavailable": width, "max_extra_moves": 2.0})
    verified_plan(wish, Inventory(nodes=nodes, instances=vms), frozenset(), None)
