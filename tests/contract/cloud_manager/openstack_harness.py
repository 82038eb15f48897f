"""The OpenStack driver on the bed."""

from __future__ import annotations

import asyncio

from beds.openstack.bed import OpenStackBed
from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.probe_vm_settings import ProbeVmSettings
from escalator.settings import Cloud

PROBE = ProbeVmSettings(image="tiny", flavor="m1")


class OpenStackHarness:
    def __init__(self, bed: OpenStackBed) -> None:
        self._bed = bed
        self.nodes = bed.hosts
        self.project = bed.cloud.project_id
        self.cloud = OpenStackCloud(Cloud(os_cloud="escalator", config_file=str(bed.clouds_yaml), probe_vm=PROBE))

    async def boot(self, node: str, *, vnf: str | None = None) -> str:
        metadata = {"vnf": vnf} if vnf is not None else {}
        return await asyncio.to_thread(self._bed.cloud.boot, node, metadata=metadata)

    async def boot_pair(self) -> tuple[str, str, str]:
        group = await asyncio.to_thread(self._bed.cloud.make_group, "anti-affinity")
        boots = (asyncio.to_thread(self._bed.cloud.boot, node, group=group) for node in self.nodes[:2])
        first, second = await asyncio.gather(*boots)
        return first, second, group

    async def delete(self, instance: str) -> None:
        await asyncio.to_thread(self._bed.cloud.delete, instance)

    async def disable(self, node: str, reason: str) -> None:
        self._bed.cloud.set_service(node, status="disabled", disabled_reason=reason)

    async def break_live_moves(self, node: str, *, hang: bool = False) -> None:
        self._bed.set_fault(node, live_migration={"fail": "hang" if hang else "error"})

    async def boot_anywhere_of(self, node: str) -> None:
        for other in self.nodes:
            if other != node:
                await self.disable(other, "the test leaves one node")
        try:
            await asyncio.to_thread(self._bed.cloud.boot, None)
        except AssertionError as error:
            raise PermanentError(Code.CLD_NO_VALID_HOST, str(error)) from error
        finally:
            for other in self.nodes:
                if other != node:
                    self._bed.cloud.set_service(other, status="enabled")

    async def break_boots(self, node: str) -> None:
        self._bed.set_fault(node, spawn={"fail": 1})

    async def mend(self) -> None:
        for node in self.nodes:
            self._bed.set_fault(node)

    async def lapse(self) -> None:
        await asyncio.sleep(0.2)
