"""Moves that go wrong in Nova's own ways."""

from __future__ import annotations

import asyncio

import pytest

from beds.openstack.bed import OpenStackBed
from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.cloud_manager.port import MoveOrder, MoveState
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from integration.openstack.conftest import Ended

pytestmark = pytest.mark.openstack


async def _order(bed: OpenStackBed, kind: str = "live") -> MoveOrder:
    server = await asyncio.to_thread(bed.cloud.boot, "cn-01")
    return MoveOrder(server, "cn-01", "cn-02", kind)  # type: ignore[arg-type]


async def test_a_live_move_is_not_done_before_its_record_says_so(bed: OpenStackBed, driver: OpenStackCloud, ended: Ended) -> None:
    order = await _order(bed)
    bed.set_fault("cn-01", available_resource={"seconds": 3})  # between the arrival and the end of the record
    await driver.start_move(order)

    def arrived() -> bool:
        server = bed.cloud.server(order.instance)
        return server["OS-EXT-SRV-ATTR:host"] == "cn-02" and server["OS-EXT-STS:task_state"] is None

    await asyncio.to_thread(bed.cloud.wait, arrived, "it does not arrive")
    assert bed.cloud.migrations(order.instance)[-1]["status"] == "running"
    assert (await driver.move_status(order)).state is MoveState.RUNNING
    assert (await ended(order)).state is MoveState.DONE
    assert bed.cloud.migrations(order.instance)[-1]["status"] == "completed"


async def test_a_target_that_cannot_prepare_leaves_the_instance_running(
    bed: OpenStackBed, driver: OpenStackCloud, ended: Ended
) -> None:
    order = await _order(bed)
    bed.set_fault("cn-02", pre_live_migration={"fail": 1})
    await driver.start_move(order)
    failed = await ended(order)
    assert (failed.state, failed.at, failed.healthy) == (MoveState.FAILED, "cn-01", True)
    assert bed.cloud.server(order.instance)["status"] == "ACTIVE"


async def test_an_instance_that_breaks_on_arrival_is_on_the_target_and_not_healthy(
    bed: OpenStackBed, driver: OpenStackCloud, ended: Ended
) -> None:
    order = await _order(bed)
    bed.set_fault("cn-02", post_live_migration_at_destination={"fail": 1})
    await driver.start_move(order)
    found = await ended(order)
    assert bed.cloud.server(order.instance)["status"] == "ERROR"
    assert (found.state, found.at, found.healthy) == (MoveState.DONE, "cn-02", False)
    assert "error" in found.message


async def test_a_target_that_fails_the_check_is_unfit(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    order = await _order(bed)
    bed.set_fault("cn-02", check_can_live_migrate_destination={"fail": 1})
    with pytest.raises(PermanentError) as caught:
        await driver.start_move(order)
    assert caught.value.code is Code.CLD_NO_VALID_HOST


async def test_an_older_hypervisor_is_unfit_for_what_runs_on_a_newer_one(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    bed.set_facts("cn-01", hypervisor_version=2_000_000)
    await asyncio.to_thread(bed.restart_compute, "cn-01")
    order = await _order(bed)
    with pytest.raises(PermanentError) as caught:
        await driver.start_move(order)
    assert caught.value.code is Code.CLD_NO_VALID_HOST
    bed.set_facts("cn-02", hypervisor_version=2_000_000)
    await asyncio.to_thread(bed.restart_compute, "cn-02")
    await driver.start_move(order)


async def test_a_node_that_the_cloud_does_not_know_is_unfit(bed: OpenStackBed, driver: OpenStackCloud) -> None:
    order = await _order(bed)
    for kind in ("live", "cold"):
        with pytest.raises(PermanentError) as caught:
            await driver.start_move(MoveOrder(order.instance, "cn-01", "cn-99", kind))
        assert caught.value.code is Code.CLD_NO_VALID_HOST


async def test_a_cold_move_that_fails_on_the_origin_says_that_the_instance_needs_a_person(
    bed: OpenStackBed, driver: OpenStackCloud, ended: Ended
) -> None:
    order = await _order(bed, "cold")
    bed.set_fault("cn-01", migrate_disk_and_power_off={"fail": 1})
    await driver.start_move(order)
    failed = await ended(order)
    assert (failed.state, failed.at, failed.healthy) == (MoveState.FAILED, "cn-01", False)
    assert "injected" in failed.message


async def test_a_cold_move_that_fails_on_the_target_says_where_the_instance_is(
    bed: OpenStackBed, driver: OpenStackCloud, ended: Ended
) -> None:
    order = await _order(bed, "cold")
    bed.set_fault("cn-02", finish_migration={"fail": 1})
    await driver.start_move(order)
    failed = await ended(order)
    assert (failed.state, failed.healthy) == (MoveState.FAILED, False)
    assert failed.at == bed.cloud.server(order.instance)["OS-EXT-SRV-ATTR:host"]


async def test_a_cold_move_that_the_scheduler_refuses_fails_with_its_words(
    bed: OpenStackBed, driver: OpenStackCloud, ended: Ended
) -> None:
    flavor = await asyncio.to_thread(bed.cloud.make_flavor, {}, vcpus=40)
    for _ in range(6):  # 6 x 40 of 4 x 64
        await asyncio.to_thread(bed.cloud.boot, "cn-02", flavor=flavor)
    server = await asyncio.to_thread(bed.cloud.boot, "cn-01", flavor=flavor)
    order = MoveOrder(server, "cn-01", "cn-02", "cold")
    await driver.start_move(order)
    failed = await ended(order)
    assert (failed.state, failed.at, failed.healthy) == (MoveState.FAILED, "cn-01", True)
    assert "No valid host" in failed.message


async def test_a_move_whose_origin_dies_fails_when_the_origin_is_back(
    bed: OpenStackBed, driver: OpenStackCloud, ended: Ended
) -> None:
    order = await _order(bed)
    bed.set_fault("cn-01", live_migration={"fail": "hang"})
    await driver.start_move(order)

    def copies() -> bool:
        return bool(bed.cloud.migrations(order.instance)[-1]["status"] == "running")

    await asyncio.to_thread(bed.cloud.wait, copies, "it does not begin")
    bed.kill_compute("cn-01")
    bed.set_fault("cn-01")
    bed.cloud.set_service("cn-01", forced_down=True)
    orphan = await driver.move_status(order)
    assert (orphan.state, orphan.at) == (MoveState.RUNNING, "cn-01")
    assert "silent" in orphan.message
    bed.cloud.set_service("cn-01", forced_down=False)
    await asyncio.to_thread(bed.restart_compute, "cn-01")
    failed = await ended(order)
    assert (failed.state, failed.at, failed.healthy) == (MoveState.FAILED, "cn-01", True)
    await driver.start_move(order)
    assert (await ended(order)).state is MoveState.DONE


async def test_an_instance_that_its_owner_deletes_on_the_way_is_lost(
    bed: OpenStackBed, driver: OpenStackCloud, ended: Ended
) -> None:
    order = await _order(bed, "cold")
    await driver.start_move(order)
    assert (await ended(order)).state is MoveState.CONFIRM
    await asyncio.to_thread(bed.cloud.delete, order.instance)
    assert (await driver.move_status(order)).state is MoveState.LOST
    await driver.confirm_move(order)
