from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalator.model.inventory import Inventory
from escalator.world.seeding import sow


def fill(inventory: Inventory) -> float:
    return sum(i.demand["pcpu"] for i in inventory.instances) / sum(
        cell["pcpu"] for node in inventory.nodes for cell in node.numa
    )


def test_the_same_numbers_make_the_same_cloud_and_others_another() -> None:
    assert sow(nodes=20, seed=1, fill=0.65) == sow(nodes=20, seed=1, fill=0.65)
    assert sow(nodes=20, seed=1, fill=0.65) != sow(nodes=20, seed=2, fill=0.65)


@given(nodes=st.integers(1, 40), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_no_node_is_overfilled_and_no_pair_shares_a_node(nodes: int, seed: int) -> None:
    inventory = sow(nodes=nodes, seed=seed, fill=0.65).inventory
    for node in inventory.nodes:
        for number, cell in enumerate(node.numa):
            here = [i for i in inventory.instances_by_node.get(node.id, ()) if number in i.cells]
            for resource, amount in cell.items():
                assert sum(i.demand.get(resource, 0) for i in here) <= amount
    for members in inventory.members.values():
        assert len({i.node for i in members}) == len(members)


@pytest.mark.parametrize("nodes", [8, 50, 300])
def test_about_two_thirds_are_in_use_and_some_hosts_are_empty(nodes: int) -> None:
    inventory = sow(nodes=nodes, seed=1, fill=0.65).inventory
    empty = [n for n in inventory.nodes if n.id not in inventory.instances_by_node]
    assert 0.6 < fill(inventory) < 0.7
    assert max(1, nodes // 10) <= len(empty) <= nodes // 5
    assert [n.id for n in inventory.nodes][:2] == ["cn-0001", "cn-0002"]


def test_the_cloud_has_what_makes_an_upgrade_hard() -> None:
    sown = sow(nodes=50, seed=1, fill=0.65)
    inventory = sown.inventory
    pinned = [i for i in inventory.instances if i.migration == "none"]
    follower = next(v for v in sown.vnfms if v.behaviour == "follows")
    assert len({i.project for i in inventory.instances}) >= 3
    assert {len(members) for members in inventory.members.values()} <= {1, 2, 3}
    assert Counter(g.policy for g in inventory.groups) == {"anti-affinity": len(inventory.groups)}
    assert 0 < len(pinned) < len(inventory.instances) / 10
    assert all(i.groups and i.migration_reason and i.project in follower.projects for i in pinned)
    assert len({n.rack for n in inventory.nodes}) == 5
    assert len({n.az for n in inventory.nodes}) == 2


@pytest.mark.parametrize("seed", range(10))
def test_a_small_cloud_has_something_of_every_kind(seed: int) -> None:
    inventory = sow(nodes=8, seed=seed, fill=0.65).inventory
    assert {i.project for i in inventory.instances} == {"core", "user-plane", "voice", "tenants"}
    assert any(i.migration == "none" for i in inventory.instances)
    assert any(len(members) > 1 for members in inventory.members.values())


def test_some_instances_have_no_vnf_manager() -> None:
    sown = sow(nodes=50, seed=1, fill=0.65)
    owned = {project for vnfm in sown.vnfms for project in vnfm.projects}
    assert any(i.project not in owned for i in sown.inventory.instances)
