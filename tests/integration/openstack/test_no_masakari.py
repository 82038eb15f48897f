"""A region that offers no Masakari, and a driver that is told to use it.

Apart from the tests of the running service: that one stays in Keystone's catalogue until the last test of its module.
"""

from __future__ import annotations

import pytest

from beds.openstack.bed import OpenStackBed
from escalator.cloud_manager.openstack.instance_ha import Masakari
from escalator.model.errors import PermanentError
from escalator.model.neighbour_settings import Masakari as Settings
from escalator.settings import Cloud
from escalator.vim_interface.neighbours.port import Host

pytestmark = pytest.mark.openstack


async def test_a_region_without_masakari_is_told(openstack_bed: OpenStackBed) -> None:
    cloud = Cloud(driver="openstack", os_cloud="escalator", config_file=str(openstack_bed.clouds_yaml))
    neighbour = Masakari(Settings(enabled=True), cloud)
    with pytest.raises(PermanentError, match="Cannot find Masakari"):
        await neighbour.enter(Host("cn-01", "night"))
    neighbour.close()
