"""A whole campaign in which Tacker heals its VMs away from every node: Escalator as it is wired, Tacker as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from beds.vnfm.listener import served
from beds.vnfm.processes import TACKER_PEER, VnfmProcess, vnfm_process
from escalator.api.vnfm import vnfm_app
from escalator.clocks import SystemClock
from escalator.model.errors import PermanentError
from escalator.model.inventory import Instance
from escalator.model.notice import NoticeState, NoticeType, Vnfm, VnfmSpec
from escalator.model.progress import CampaignState
from escalator.settings import Settings
from escalator.wiring import Services, open_services
from escalator.world.seeding import sow
from escalator.world.world import World
from integration.api.running import CAMPAIGN, FAST, write_release

KEY = "0123456789abcdef"
NAME = "agent-2"
NODES = 3
SLOW_S = 0.5


def sown(file: Path, *, pinned: bool = True) -> None:
    """A cloud with few instances, some of which cannot migrate if `pinned`; its groups need no rest between impacts."""
    found = sow(nodes=NODES, seed=1, fill=0.3)
    groups = tuple(group.model_copy(update={"recovery_s": 0.0}) for group in found.inventory.groups)
    world = World.open(file, SystemClock(), FAST)
    instances = tuple(instance for instance in found.inventory.instances if pinned or instance.migration != "none")
    world.load(found.inventory.model_copy(update={"groups": groups, "instances": instances}))
    world.close()


def prepared(folder: Path) -> None:
    """A state directory with the key and the cloud."""
    (folder / "credentials").mkdir(parents=True)
    (folder / "credentials" / "tacker").touch(0o600)
    (folder / "credentials" / "tacker").write_text(KEY)
    sown(folder / "world.sqlite", pinned=False)


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[tuple[Services, World, str]]:
    """Escalator as it is wired, with its listener for VNF managers."""
    prepared(folder)
    cloud = {"driver": "simulated", "simulated": {"speed": FAST.speed}}
    settings = Settings.model_validate({"state_dir": str(folder), "cloud": cloud, "vim": {"tacker": {"auth": "key"}}})
    async with open_services(settings) as services:
        world = services.ctx.cloud._world  # type: ignore[attr-defined]
        async with served(vnfm_app(services.vim.inbox, services.ctx.clock, services.fenix, services.tacker)) as url:
            yield services, world, url


async def follow(process: VnfmProcess, world: World) -> None:
    """The cloud does what Tacker says: what it deletes is gone, and what takes its place comes up on another node."""
    done: set[str] = set()
    while True:
        for server in sorted({line["server"] for line in process.lines("deleted")} - done):
            # A cloud takes its time: who goes on at the end of the alarm meets the VM.
            await asyncio.sleep(SLOW_S)
            done.add(server)
            old = world.instance(server)
            assert old is not None
            world.tenants.delete(server)
            boot(world, old)
        await asyncio.sleep(0.02)


def boot(world: World, old: Instance) -> None:
    for node in world.inventory().nodes:
        if node.id == old.node:
            continue
        try:
            world.tenants.boot(old.model_copy(update={"id": f"{old.id}-healed", "node": node.id, "numa_cell": None}))
        except PermanentError:
            continue
        return
    raise AssertionError(f"no node has room for {old.id}")


async def settled(services: Services) -> CampaignState:
    for _ in range(2400):
        state = (await services.campaigns.show(NAME)).row.state
        if state is not CampaignState.RUNNING:
            return state
        await asyncio.sleep(0.05)
    raise AssertionError("the campaign does not come to rest")


async def notified(services: Services) -> list[Any]:
    return [n for n in await services.ctx.store.notices.list(NAME) if n.type is NoticeType.HOST_MAINTENANCE_UPCOMING]


async def test_every_vm_is_healed_away_and_every_node_is_upgraded(tmp_path: Path) -> None:
    async with server(tmp_path / "state") as (services, world, url):
        inventory = world.inventory()
        project = min({i.project for i in inventory.instances})
        mine = sorted(i.id for i in inventory.instances if i.project == project)
        others = sorted(i.id for i in inventory.instances if i.project != project)
        arguments = ("--notifier", f"{url}/tacker/{KEY}", "--tenant", "some-name")
        with vnfm_process(tmp_path / "tacker.jsonl", *arguments, program=TACKER_PEER) as process:
            address = f"http://127.0.0.1:{process.port}"
            spec = VnfmSpec(dialect="tacker", callback_uri=address, projects=(project,), key="tacker")
            await services.vim.registry.add(Vnfm(name="tacker", spec=spec))
            async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
                assert (await http.post(f"{address}/control", json={"register": mine})).status_code == 204
            await services.importer.import_folder(write_release(tmp_path / "release"))
            await services.campaigns.create(CAMPAIGN)
            await services.campaigns.plan(NAME)
            await services.campaigns.start(NAME)
            following = asyncio.create_task(follow(process, world))
            state = await settled(services)
            following.cancel()
            (ended,) = await asyncio.gather(following, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended
            view = await services.campaigns.show(NAME)
            assert state is CampaignState.COMPLETED, [(t.node, t.state, t.code, t.message) for t in view.tasks]
            deleted = {line["server"] for line in process.lines("deleted")}
            assert {line["status"] for line in process.lines("notified")} == {204}
        after = {i.id for i in world.inventory().instances}
        assert set(mine) <= deleted
        assert sorted(i.partition("-healed")[0] for i in after) == sorted([*mine, *others])
        asked = await notified(services)
        assert {n.state for n in asked} == {NoticeState.ANSWERED}
        assert dict.fromkeys(deleted, "OWN_ACTION") == {i: d for n in asked for i, d in n.reply.instances.items()}
        stopped = {e.object_id for e in await services.ctx.store.events.read(0, limit=10_000) if e.action == "instance.stop"}
        assert not stopped & deleted
        assert {n.versions.get("agent") for n in world.inventory().nodes} == {"2.0.0"}
