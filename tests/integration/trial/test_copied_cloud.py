"""A server on a simulated copy of a cloud that stands in a file: its own names, its campaign as it is, and no real node."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from escalator.model.errors import InputError
from escalator.model.progress import CampaignState
from escalator.settings import Cloud, Log, Settings, SimulatedWorld
from escalator.simulation.setup import RELEASE, import_release
from escalator.startable import check_startable
from escalator.wiring import Services, open_services

SITE = """
apiVersion: escalator/v1
kind: Inventory
nodes:
  - {id: kista-r1-07, az: az1, numa: [{pcpu: 16, mem_mib: 65536}], versions: {agent: 1.0.0}}
  - {id: kista-r1-08, az: az1, numa: [{pcpu: 16, mem_mib: 65536}], versions: {agent: 1.0.0}}
  - {id: kista-r2-01, az: az1, numa: [{pcpu: 16, mem_mib: 65536}], versions: {agent: 1.0.0}}
instances:
  - {id: amf-kista-1, project: Mobile Core, vnf: amf-7, node: kista-r1-07, demand: {pcpu: 4, mem_mib: 8192}, groups: [amf]}
  - {id: amf-kista-2, project: Mobile Core, vnf: amf-7, node: kista-r1-08, demand: {pcpu: 4, mem_mib: 8192}, groups: [amf]}
  - {id: hss-1, project: hss, vnf: hss-1, node: kista-r2-01, demand: {pcpu: 4, mem_mib: 8192}}
groups:
  - {id: amf, policy: anti-affinity, max_impacted: 1}
"""
CAMPAIGN = """
apiVersion: escalator/v1
kind: Campaign
metadata: {name: kista}
spec:
  release: nfvi-agent/2.0.0
  mode: smooth
  scope: {select: {names: ["kista-*"]}}
  waves: {max_unavailable: 1}
  node: {driver: packages}
"""


def settings_of(folder: Path, site: str) -> Settings:
    (folder / "site.yaml").write_text(site)
    world = SimulatedWorld(inventory=str(folder / "site.yaml"), speed=2000.0)
    # What would reach real nodes, were it asked.
    system = {"ssh": {"known_hosts": str(folder / "known_hosts")}, "command": {"argv": ("false",)}}
    cloud = Cloud(driver="simulated", simulated=world)
    return Settings(state_dir=str(folder / "state"), cloud=cloud, system=system, log=Log(level="error"))


async def played(services: Services) -> CampaignState | None:
    await import_release(services.ctx.store, RELEASE, services.ctx.clock.now())
    await services.campaigns.create(CAMPAIGN)
    assert (await services.campaigns.plan("kista")).smooth
    await services.campaigns.start("kista")
    # The state changes in storage, which tells nobody.
    while (state := await services.ctx.store.campaigns.state("kista")) is CampaignState.RUNNING:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return state


async def test_a_campaign_runs_as_it_is_on_a_copy_and_the_copy_stays_over_a_restart(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, SITE)
    check_startable(settings)
    async with open_services(settings) as services:
        assert [vnfm.name for vnfm in await services.ctx.store.vnfms.list()] == ["vnfm-hss", "vnfm-of-project-1"]
        assert await played(services) is CampaignState.COMPLETED
    (tmp_path / "site.yaml").unlink()
    check_startable(settings)
    async with open_services(settings) as services:
        nodes = {task.node: await services.ctx.cloud.node(task.node) for task in (await services.campaigns.show("kista")).tasks}
    assert {name: node.versions["agent"] for name, node in nodes.items()} == dict.fromkeys(
        ("kista-r1-07", "kista-r1-08", "kista-r2-01"), "2.0.0"
    )


async def test_all_drivers_of_a_copy_are_simulated(tmp_path: Path) -> None:
    async with open_services(settings_of(tmp_path, SITE)) as services:
        systems = services.ctx.systems
        assert set(systems) == {"packages", "ansible", "command", "simulated"}
        assert {id(system) for system in systems.values()} == {id(systems["simulated"])}


@pytest.mark.parametrize(
    ("site", "said"),
    [(SITE.replace("numa:", "nmua:", 1), "nmua"), ("kind: Inventory\napiVersion: escalator/v1\nnodes: []\n", "nodes")],
)
def test_a_file_that_is_no_cloud_is_refused_before_the_server_starts(tmp_path: Path, site: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        check_startable(settings_of(tmp_path, site))
    assert any(said in str(problem) for problem in raised.value.problems)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, SITE)
    (tmp_path / "site.yaml").unlink()
    with pytest.raises(InputError, match=r"site\.yaml cannot be read"):
        check_startable(settings)
