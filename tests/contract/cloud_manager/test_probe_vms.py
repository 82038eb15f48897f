"""Probe VMs: on exactly one node, which stays out of service; there and back again; and nothing is left of them."""

from __future__ import annotations

import pytest

from contract.cloud_manager.harness import POLICY, Harness, ended, until
from escalator.cloud_manager.port import MoveOrder, MoveState
from escalator.cloud_manager.probe_vms import DOOR_KIND, VM_KIND, ProbeState, ProbeVm
from escalator.model.codes import Code
from escalator.model.errors import PermanentError

REASON = "Escalator campaign c: upgrade"
NAME = "escalator-probe-0001"


async def settled(harness: Harness, name: str = NAME) -> ProbeVm:
    found = await until(
        harness,
        lambda: harness.cloud.probe_vms.find(name),
        lambda probe: probe is not None and probe.state is not ProbeState.BUILDING,
    )
    assert found is not None
    return found


async def booted(harness: Harness, node: str) -> ProbeVm:
    """A probe on a node that is out of service."""
    probes = harness.cloud.probe_vms
    await harness.cloud.cordon(node, REASON)
    await probes.open_door(node)
    await probes.boot(NAME, node)
    probe = await settled(harness)
    await probes.shut_door(node)
    return probe


async def gone(harness: Harness, name: str = NAME) -> None:
    await harness.cloud.probe_vms.delete(name)
    await until(harness, lambda: harness.cloud.probe_vms.find(name), lambda probe: probe is None)


async def test_a_probe_boots_on_exactly_the_node_which_stays_out_of_service(harness: Harness) -> None:
    node = harness.nodes[1]
    probe = await booted(harness, node)
    assert (probe.state, probe.at) == (ProbeState.ACTIVE, node), probe
    service = await harness.cloud.service(node)
    assert (service.enabled, service.reason) == (False, REASON)
    await gone(harness)


async def test_while_its_door_is_open_nobody_else_lands_on_the_node(harness: Harness) -> None:
    node = harness.nodes[0]
    await harness.cloud.cordon(node, REASON)
    await harness.cloud.probe_vms.open_door(node)
    assert await harness.cloud.probe_vms.door(node) is None
    with pytest.raises(PermanentError, match=r"[Vv]alid host|cannot take"):
        await harness.boot_anywhere_of(node)
    instance = await harness.boot(harness.nodes[1])
    with pytest.raises(PermanentError) as caught:
        await harness.cloud.start_move(MoveOrder(instance, harness.nodes[1], node, "live"))
    assert caught.value.code is Code.CLD_NO_VALID_HOST
    await harness.cloud.probe_vms.shut_door(node)


async def test_behind_a_shut_door_the_cloud_finds_no_host_for_it(harness: Harness) -> None:
    node = harness.nodes[2]
    await harness.cloud.cordon(node, REASON)
    assert await harness.cloud.probe_vms.door(node) is not None
    await harness.cloud.probe_vms.boot(NAME, node)
    probe = await settled(harness)
    assert (probe.state, probe.at, probe.no_host) == (ProbeState.FAILED, None, True)
    await gone(harness)


async def test_a_door_is_shut_again_and_only_where_the_node_is_out_of_service(harness: Harness) -> None:
    # Nova remembers for some minutes a trait that was taken away from outside: no other test needs this node.
    node, probes = harness.nodes[3], harness.cloud.probe_vms
    found = await harness.cloud.service(node)
    assert await probes.door(node) is None
    await harness.cloud.cordon(node, REASON)
    shut = await probes.door(node)
    await probes.open_door(node)
    await probes.open_door(node)
    await probes.shut_door(node)
    await probes.shut_door(node)
    assert shut is not None
    assert await probes.door(node) == shut
    await probes.open_door(node)
    await harness.cloud.restore_service(node, found)
    await probes.shut_door(node)
    assert await probes.door(node) is None
    assert await harness.boot(node)


async def test_it_migrates_to_a_node_in_service_and_back_to_the_one_that_is_not(harness: Harness) -> None:
    node, other = harness.nodes[:2]
    probe = await booted(harness, node)
    for origin, target in ((node, other), (other, node)):
        order = MoveOrder(probe.id, origin, target, "live")
        await harness.cloud.probe_vms.start_move(order)
        await harness.cloud.probe_vms.start_move(order)
        assert (await ended(harness, order)).state is MoveState.DONE
        found = await harness.cloud.probe_vms.find(NAME)
        assert found is not None
        assert (found.at, found.state) == (target, ProbeState.ACTIVE)
    assert not (await harness.cloud.service(node)).enabled
    await gone(harness)


async def test_asked_twice_for_one_name_there_is_one_probe_and_no_inventory_counts_it(harness: Harness) -> None:
    node = harness.nodes[0]
    probe = await booted(harness, node)
    await harness.cloud.probe_vms.boot(NAME, node)
    assert await settled(harness) == probe
    assert await harness.cloud.instances_on(node, POLICY) == ()
    assert (await harness.cloud.inventory(POLICY)).instances == ()
    await gone(harness)
    await harness.cloud.probe_vms.delete(NAME)


async def test_a_boot_that_breaks_on_the_node_is_told_from_one_without_a_host(harness: Harness) -> None:
    node = harness.nodes[0]
    await harness.break_boots(node)
    probe = await booted(harness, node)
    assert (probe.state, probe.no_host) == (ProbeState.FAILED, False)
    assert probe.message
    await gone(harness)


async def test_it_tells_what_it_takes_of_a_node(harness: Harness) -> None:
    size = await harness.cloud.probe_vms.size()
    assert size["pcpu"] > 0
    assert size["mem_mib"] > 0


async def test_the_sheet_gives_the_command_that_takes_it_away(harness: Harness) -> None:
    assert harness.cloud.by_hand(VM_KIND, "cn-01", NAME, {}) == (f"openstack server delete {NAME}",)
    (line,) = harness.cloud.by_hand(DOOR_KIND, "cn-01", "cn-01", {"provider": "p-1", "traits": ["A", "COMPUTE_STATUS_DISABLED"]})
    assert line.startswith(("openstack --os-placement-api-version 1.6 resource provider trait set --trait A", "#"))
