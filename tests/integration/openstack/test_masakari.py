"""Masakari is told of hosts in maintenance: its own API, with Nova and Keystone."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator

import pytest

from beds.masakari.fixtures import Masakari as Service
from beds.openstack.bed import OpenStackBed
from escalator.cloud_manager.openstack.instance_ha import Masakari
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.neighbour_settings import Masakari as Settings
from escalator.settings import Cloud
from escalator.vim_interface.neighbours.port import Host

pytestmark = pytest.mark.openstack
CN1, CN2, CN3 = (Host(f"cn-0{n}", "night") for n in (1, 2, 3))
REFUSED = 409


def cloud(bed: OpenStackBed, user: str = "escalator") -> Cloud:
    return Cloud(driver="openstack", os_cloud=user, config_file=str(bed.clouds_yaml))


@pytest.fixture
def neighbour(openstack_bed: OpenStackBed, masakari: Service) -> Iterator[Masakari]:
    """The driver, with the user of the service."""
    made = Masakari(Settings(enabled=True), cloud(openstack_bed))
    yield made
    made.close()


async def test_a_host_in_maintenance_is_not_taken_for_dead(masakari: Service, neighbour: Masakari) -> None:
    segment = masakari.segment("rack-1", "cn-01", "cn-02")
    assert not await neighbour.in_maintenance(CN1)
    for _ in range(2):
        await neighbour.enter(CN1)
    assert {name: row["on_maintenance"] for name, row in masakari.hosts(segment).items()} == {"cn-01": True, "cn-02": False}
    assert await neighbour.in_maintenance(CN1)
    assert masakari.died("cn-01") == REFUSED
    for _ in range(2):
        await neighbour.leave(CN1)
    assert not masakari.hosts(segment)["cn-01"]["on_maintenance"]
    assert masakari.died("cn-01") < 300


async def test_a_host_of_no_segment_is_not_watched(masakari: Service, neighbour: Masakari) -> None:
    masakari.segment("rack-1", "cn-01")
    assert not await neighbour.in_maintenance(CN3)
    await neighbour.enter(CN3)
    await neighbour.leave(CN3)


async def test_while_masakari_recovers_a_segment_its_hosts_wait(masakari: Service, neighbour: Masakari) -> None:
    masakari.segment("rack-1", "cn-01", "cn-02")
    masakari.segment("rack-2", "cn-03")
    assert masakari.died("cn-02") < 300
    with pytest.raises(TemporaryError) as caught:
        await neighbour.enter(CN1)
    assert caught.value.code is Code.VIM_NEIGHBOUR
    assert "can't be updated" in caught.value.message
    await neighbour.enter(CN3)
    assert await neighbour.in_maintenance(CN3)


async def test_the_command_on_the_sheet_takes_it_back(
    masakari: Service, neighbour: Masakari, openstack_bed: OpenStackBed
) -> None:
    segment = masakari.segment("rack-1", "cn-01", "cn-02")
    masakari.segment("rack-2", "cn-03")
    await neighbour.enter(CN1)
    await neighbour.enter(CN2)
    (command,) = neighbour.by_hand(CN1)
    environment = {
        "PATH": f"{masakari.bin}:{os.environ['PATH']}",
        "OS_CLIENT_CONFIG_FILE": str(openstack_bed.clouds_yaml),
        "OS_CLOUD": "bed",
        "LANG": "C.UTF-8",
    }
    await asyncio.to_thread(subprocess.run, ["sh", "-ec", command], env=environment, check=True, capture_output=True)
    assert {name: row["on_maintenance"] for name, row in masakari.hosts(segment).items()} == {"cn-01": False, "cn-02": True}


async def test_many_segments_are_read_page_by_page(masakari: Service, neighbour: Masakari) -> None:
    for number in range(5):
        masakari.segment(f"rack-{number}")
    last = masakari.segment("last", "cn-02")
    await neighbour.enter(CN2)
    assert masakari.hosts(last)["cn-02"]["on_maintenance"]


async def test_a_user_who_may_not_is_told(masakari: Service, openstack_bed: OpenStackBed) -> None:
    masakari.segment("rack-1", "cn-01")
    reader = Masakari(Settings(enabled=True), cloud(openstack_bed, "reader"))
    with pytest.raises(PermanentError) as caught:
        await reader.enter(CN1)
    assert (caught.value.code, "roles admin" in (caught.value.remedy or "")) == (Code.VIM_NEIGHBOUR, True)
    reader.close()
