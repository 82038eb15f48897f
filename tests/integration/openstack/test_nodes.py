"""What nodes look like: versions, traits, room, zones, and the ways to be down."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from beds.openstack.bed import OpenStackBed
from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.cloud_manager.port import ServiceState
from escalator.model.campaign import Migration

pytestmark = pytest.mark.openstack
POLICY = Migration()


async def _restart(bed: OpenStackBed, host: str) -> None:
    """A host that is started again tells at once what it is now."""
    await asyncio.to_thread(bed.restart_compute, host)


async def test_a_restarted_node_shows_its_new_hypervisor_and_what_it_offers_less(
    bed: OpenStackBed, driver: OpenStackCloud, tmp_path: Path
) -> None:
    version = tmp_path / "version"
    version.write_text("7.2.18-1\n", encoding="utf-8")
    bed.set_facts("cn-01", hypervisor_version_file=str(version), traits=["CUSTOM_FAST"], inventory={"CUSTOM_FPGA": 2}, vcpus=32)
    await _restart(bed, "cn-01")
    before = (await driver.inventory(POLICY)).node_by_id["cn-01"]
    assert before.versions == {"hypervisor": "7.2.18"}
    assert "CUSTOM_FAST" in before.traits
    assert (before.numa[0]["custom_fpga"], before.numa[0]["pcpu"]) == (2, 128)
    bed.set_facts("cn-01", hypervisor_version=8_000_001)
    await _restart(bed, "cn-01")
    after = (await driver.inventory(POLICY)).node_by_id["cn-01"]
    assert after.versions == {"hypervisor": "8.0.1"}
    assert "CUSTOM_FAST" not in after.traits
    assert "custom_fpga" not in after.numa[0]
    assert after.numa[0]["pcpu"] == 256


async def test_zone_labels_and_rack_come_from_aggregates(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    zone = bed.cloud.make_aggregate("cn-01", "cn-02", availability_zone="az1", pinned="true")
    rack = bed.cloud.make_aggregate("cn-01", rack="r01")
    pinned = await asyncio.to_thread(bed.cloud.boot, None, availability_zone="az1")
    free = await asyncio.to_thread(bed.cloud.boot, "cn-01")
    found = await driver.inventory(POLICY)
    node = found.node_by_id["cn-01"]
    assert (node.az, node.rack, node.labels) == ("az1", "r01", {"pinned": "true", "rack": "r01"})
    assert node.aggregates == tuple(sorted((zone, rack)))
    assert found.node_by_id["cn-03"].az == "nova"
    assert found.instance_by_id[pinned].requires.az == "az1"
    assert found.instance_by_id[free].requires.az is None


async def test_a_node_forced_down_is_down_in_every_view(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    bed.cloud.set_service("cn-03", forced_down=True)
    assert await driver.service("cn-03") == ServiceState("cn-03", enabled=True, up=False, forced_down=True)
    assert (await driver.inventory(POLICY)).node_by_id["cn-03"].state == "down"


async def test_a_reason_that_is_too_long_for_the_cloud_is_cut_and_still_ours(driver: OpenStackCloud) -> None:
    await driver.cordon("cn-01", "r" * 300)
    await driver.cordon("cn-01", "r" * 300)
    assert (await driver.service("cn-01")).reason == "r" * 255


async def test_a_disabled_service_without_a_reason_is_restored_without_one(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    bed.cloud.set_service("cn-01", status="disabled", disabled_reason="something else")
    await driver.restore_service("cn-01", ServiceState("cn-01", enabled=False, up=True, reason=None))
    service = bed.cloud.service("cn-01")
    assert (service["status"], service["disabled_reason"]) == ("disabled", None)


async def test_a_compute_that_does_not_answer_does_not_hold_up_the_inventory(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    answers_s = 20
    bed.set_fault("cn-02", uptime={"seconds": answers_s})
    began = time.monotonic()
    found = await driver.inventory(POLICY)
    assert len(found.nodes) == len(bed.hosts)
    assert time.monotonic() - began < answers_s
