"""What every driver tells about the cloud."""

from __future__ import annotations

import pytest

from contract.cloud_manager.harness import POLICY, Harness
from escalator.model.codes import Code
from escalator.model.errors import PermanentError


async def test_the_cloud_names_itself_the_same_each_time(harness: Harness) -> None:
    first, second = await harness.cloud.identity(), await harness.cloud.identity()
    assert first == second
    assert first.id
    assert "admin" in first.roles


async def test_the_inventory_shows_nodes_with_room_and_instances_with_demand(harness: Harness) -> None:
    one = await harness.boot(harness.nodes[0], vnf="amf-1")
    two = await harness.boot(harness.nodes[1])
    found = await harness.cloud.inventory(POLICY)
    assert {node.id for node in found.nodes} == set(harness.nodes)
    for node in found.nodes:
        assert (node.state, node.maintenance) == ("up", False)
        assert node.numa[0]["pcpu"] >= 64
        assert node.numa[0]["mem_mib"] > 200_000
    assert {(i.id, i.node, i.vnf) for i in found.instances} == {
        (one, harness.nodes[0], "amf-1"),
        (two, harness.nodes[1], None),
    }
    for instance in found.instances:
        assert (instance.demand["pcpu"], instance.demand["mem_mib"]) == (2, 2048)
        assert (instance.state, instance.migration, instance.blocked) == ("active", "live", None)


async def test_every_view_of_an_instance_is_the_same(harness: Harness) -> None:
    first, _, group = await harness.boot_pair()
    node = harness.nodes[0]
    whole = await harness.cloud.inventory(POLICY)
    assert await harness.cloud.instances_on(node, POLICY) == whole.instances_by_node[node]
    assert await harness.cloud.instance(first) == whole.instance_by_id[first]
    assert whole.instance_by_id[first].groups == (group,)
    assert whole.group_by_id[group].policy == "anti-affinity"
    assert len(whole.members[group]) == 2


async def test_an_instance_that_its_owner_deleted_is_not_there(harness: Harness) -> None:
    gone = await harness.boot(harness.nodes[0])
    await harness.delete(gone)
    assert await harness.cloud.instance(gone) is None
    assert await harness.cloud.instances_on(harness.nodes[0], POLICY) == ()


async def test_a_node_alone_looks_as_in_the_inventory(harness: Harness) -> None:
    whole = await harness.cloud.inventory(POLICY)
    for node in harness.nodes:
        assert await harness.cloud.node(node) == whole.node_by_id[node]


async def test_only_what_is_down_or_disabled_is_unavailable(harness: Harness) -> None:
    assert await harness.cloud.unavailable() == {}
    await harness.disable(harness.nodes[1], "bad fan")
    found = await harness.cloud.unavailable()
    assert found == {harness.nodes[1]: await harness.cloud.service(harness.nodes[1])}
    assert found[harness.nodes[1]].reason == "bad fan"


async def test_a_node_without_a_compute_service_is_not_found(harness: Harness) -> None:
    for ask in (harness.cloud.service, harness.cloud.node):
        with pytest.raises(PermanentError) as caught:
            await ask("cn-99")
        assert caught.value.code is Code.CLD_NOT_FOUND
