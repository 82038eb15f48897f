"""Keeping instances off a node, and giving it back exactly as it was."""

from __future__ import annotations

import pytest

from contract.cloud_manager.harness import POLICY, Harness
from escalator.cloud_manager.port import ServiceState
from escalator.model.codes import Code
from escalator.model.errors import PermanentError

REASON = "Escalator campaign c: upgrade"


async def test_a_cordon_disables_the_service_with_its_reason_and_may_be_repeated(harness: Harness) -> None:
    node = harness.nodes[0]
    await harness.cloud.cordon(node, REASON)
    await harness.cloud.cordon(node, REASON)
    assert await harness.cloud.service(node) == ServiceState(node, enabled=False, up=True, reason=REASON)
    seen = (await harness.cloud.inventory(POLICY)).node_by_id[node]
    assert (seen.maintenance, seen.maintenance_reason) == (True, REASON)


async def test_what_was_found_enabled_is_enabled_again_without_a_reason(harness: Harness) -> None:
    node = harness.nodes[0]
    found = await harness.cloud.service(node)
    await harness.cloud.cordon(node, REASON)
    await harness.cloud.restore_service(node, found)
    await harness.cloud.restore_service(node, found)
    assert await harness.cloud.service(node) == found == ServiceState(node, enabled=True, up=True, reason=None)


async def test_what_was_found_disabled_keeps_its_own_reason(harness: Harness) -> None:
    node = harness.nodes[0]
    await harness.disable(node, "bad fan, Anna, ticket 7")
    found = await harness.cloud.service(node)
    await harness.cloud.restore_service(node, ServiceState(node, enabled=True, up=True))
    await harness.cloud.cordon(node, REASON)
    await harness.cloud.restore_service(node, found)
    assert await harness.cloud.service(node) == found
    assert found.reason == "bad fan, Anna, ticket 7"


async def test_the_cordon_of_someone_else_is_left_alone(harness: Harness) -> None:
    node = harness.nodes[0]
    await harness.disable(node, "bad fan")
    with pytest.raises(PermanentError) as caught:
        await harness.cloud.cordon(node, REASON)
    assert caught.value.code is Code.CLD_FOREIGN_CORDON
    assert "bad fan" in str(caught.value)
    assert (await harness.cloud.service(node)).reason == "bad fan"


async def test_the_sheet_gives_the_commands_that_put_back_what_was_found(harness: Harness) -> None:
    cloud = harness.cloud
    enabled, disabled = (
        ServiceState("cn-01", enabled=True, up=True),
        ServiceState("cn-01", enabled=False, up=True, reason="bad fan"),
    )
    assert cloud.by_hand("cordon", "cn-01", "cn-01", enabled.to_json()) == (
        "openstack compute service set --enable cn-01 nova-compute",
    )
    assert cloud.by_hand("cordon", "cn-01", "cn-01", disabled.to_json()) == (
        "openstack compute service set --disable --disable-reason 'bad fan' cn-01 nova-compute",
    )
    assert cloud.by_hand("instance-stopped", "cn-01", "vm-1", {}) == ("openstack server start vm-1",)
