"""What instances look like: what binds them, what blocks them, what they need."""

from __future__ import annotations

import asyncio

import pytest

from beds.openstack.bed import OpenStackBed
from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.cloud_manager.port import MoveOrder
from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.inventory import Instance

pytestmark = pytest.mark.openstack
POLICY = Migration()


async def _boot(bed: OpenStackBed, host: str = "cn-01", **more: object) -> str:
    return await asyncio.to_thread(bed.cloud.boot, host, **more)


async def _seen(driver: OpenStackCloud, server: str) -> Instance:
    found = await driver.instance(server)
    assert found is not None
    return found


async def test_an_instance_with_an_sriov_port_moves_only_where_the_policy_allows_it(
    bed: OpenStackBed, driver: OpenStackCloud
) -> None:
    bound, plain = await asyncio.gather(_boot(bed), _boot(bed))
    bed.set_ports(
        [
            {"id": "p1", "device_id": bound, "binding:vnic_type": "direct"},
            {"id": "p2", "device_id": plain, "binding:vnic_type": "normal"},
        ]
    )
    strict = {i.id: i for i in await driver.instances_on("cn-01", POLICY)}
    assert (strict[bound].migration, strict[plain].migration) == ("none", "live")
    assert "SR-IOV" in (strict[bound].migration_reason or "")
    lax = (await driver.inventory(Migration(allow_direct_ports=True))).instance_by_id
    assert (lax[bound].migration, lax[bound].migration_reason) == ("live", None)


@pytest.mark.parametrize(
    ("action", "status", "word"),
    [
        ("suspend", "SUSPENDED", "resume"),
        ("rescue", "RESCUE", "unrescue"),
        ("migrate", "VERIFY_RESIZE", "confirm"),
        ("lock", "ACTIVE", "unlock"),
    ],
)
async def test_a_state_that_needs_a_person_blocks_with_the_remedy(
    bed: OpenStackBed, driver: OpenStackCloud, action: str, status: str, word: str
) -> None:
    server = await _boot(bed)
    bed.cloud.act(server, action)
    await asyncio.to_thread(bed.cloud.wait_state, server, status)
    found = await _seen(driver, server)
    assert found.blocked is not None
    assert word in found.blocked
    assert server in found.blocked


async def test_an_instance_in_error_is_blocked_and_is_not_moved(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    server = await _boot(bed)
    bed.cloud.act(server, "os-resetState", {"state": "error"})
    found = await _seen(driver, server)
    assert (found.state, found.migration) == ("error", "none")
    assert found.blocked is not None
    with pytest.raises(PermanentError) as caught:
        await driver.start_move(MoveOrder(server, "cn-01", "cn-02", "live"))
    assert caught.value.code is Code.CLD_REFUSED


async def test_an_owners_running_task_makes_the_instance_busy(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    server = await _boot(bed)
    bed.set_fault("cn-01", power_off={"seconds": 5})
    bed.cloud.act(server, "os-stop")
    found = await _seen(driver, server)
    assert found.blocked is not None
    assert "powering-off" in found.blocked
    with pytest.raises(TemporaryError) as caught:
        await driver.start_move(MoveOrder(server, "cn-01", "cn-02", "live"))
    assert caught.value.code is Code.CLD_BUSY


async def test_members_of_a_hard_affinity_group_cannot_be_moved_alone(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    group = bed.cloud.make_group("affinity")
    one = await _boot(bed, group=group)
    alone = await _seen(driver, one)
    assert alone.migration == "live"
    await _boot(bed, group=group)
    found = await _seen(driver, one)
    assert found.migration == "none"
    assert group in (found.migration_reason or "")
    with pytest.raises(PermanentError) as caught:
        await driver.start_move(MoveOrder(one, "cn-01", "cn-02", "live"))
    assert caught.value.code is Code.CLD_NO_VALID_HOST


async def test_traits_and_resources_of_the_flavor_are_requirements_and_demand(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    bed.set_facts("cn-01", traits=["CUSTOM_FAST"], inventory={"CUSTOM_FPGA": 2})
    await asyncio.to_thread(bed.restart_compute, "cn-01")
    flavor = await asyncio.to_thread(bed.cloud.make_flavor, {"trait:CUSTOM_FAST": "required", "resources:CUSTOM_FPGA": "1"})
    found = await _seen(driver, await _boot(bed, flavor=flavor))
    assert found.requires.traits == ("CUSTOM_FAST",)
    assert found.demand == {"pcpu": 2, "mem_mib": 2048, "disk_gb": 1, "custom_fpga": 1}
    with pytest.raises(PermanentError) as caught:
        await driver.start_move(MoveOrder(found.id, "cn-01", "cn-02", "live"))
    assert caught.value.code is Code.CLD_NO_VALID_HOST
