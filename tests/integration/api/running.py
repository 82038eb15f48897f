"""A whole Escalator on a small simulated cloud, fast enough for tests, behind the operators' app."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn

from escalator.api.app import operators_app
from escalator.clocks import SystemClock
from escalator.settings import Settings
from escalator.simulation.setup import Simulation, simulate
from escalator.system_support.port import Commands
from escalator.system_support.releases.store import ReleaseStore
from escalator.system_support.releases.trust import Trust
from escalator.upgrade_manager.backups import BackupService
from escalator.upgrade_manager.engine.context import Context, Pace
from escalator.upgrade_manager.engine.staying import Retention
from escalator.upgrade_manager.releases import ReleaseService
from escalator.upgrade_manager.service import CampaignService
from escalator.vim_interface.neighbours.port import Neighbour
from escalator.vim_interface.vim import Vim
from escalator.world.seeding import sow
from escalator.world.timings import Timings
from escalator.world.world import World

TOKEN = "a-token-that-only-this-test-knows"
FAST = Timings(speed=2000.0)
"""An upgrade of ten minutes takes a third of a second."""
CAMPAIGN = """
apiVersion: escalator/v1
kind: Campaign
metadata: {name: agent-2}
spec:
  release: nfvi-agent/2.0.0
  mode: smooth
  scope: {select: {role: compute}}
  waves: {max_unavailable: 2}
  node: {driver: simulated}
"""
RELEASE = """
apiVersion: escalator/v1
kind: Release
metadata: {name: nfvi-agent}
spec:
  version: 2.0.0
  type: command
  layers: {agent: 2.0.0}
  packages: [{name: nfvi-agent, version: 2.0.0}]
"""


@dataclass(frozen=True, slots=True)
class TestServices:
    """What the wiring makes for a server, made by hand on memory storage."""

    __test__ = False

    settings: Settings
    ctx: Context
    campaigns: CampaignService
    releases: ReleaseService
    vim: Vim
    importer: ReleaseStore
    backups: BackupService
    token: str
    simulation: Simulation


@asynccontextmanager
async def running(
    state: Path,
    nodes: int = 4,
    neighbours: tuple[Neighbour, ...] = (),
    trust: Trust | None = None,
    commands: Commands | None = None,
) -> AsyncIterator[TestServices]:
    clock = SystemClock()
    world = World.in_memory(clock, FAST)
    sown = sow(nodes=nodes, seed=1, fill=0.4)
    # Without rest between the impacts of a group: a test has no minutes to wait.
    groups = tuple(group.model_copy(update={"recovery_s": 0.0}) for group in sown.inventory.groups)
    world.load(sown.inventory.model_copy(update={"groups": groups}), sown.vnfms)
    settings = Settings(state_dir=str(state))
    pace = Pace(poll_s=0.01, door_s=0.01, recheck_s=0.01) if commands else Pace(poll_s=0.01, door_s=0.01)
    async with simulate(world, clock, pace=pace, neighbours=neighbours, commands=commands) as simulation:
        importer = ReleaseStore(state, simulation.store.releases, clock, trust)
        ctx = replace(simulation.ctx, vetting=importer.vetting)
        campaigns, releases = CampaignService(ctx), ReleaseService(ctx, Retention())
        backups = BackupService(ctx, Retention())
        yield TestServices(settings, ctx, campaigns, releases, simulation.vim, importer, backups, TOKEN, simulation)


def write_release(folder: Path) -> Path:
    folder.mkdir()
    (folder / "release.yaml").write_text(RELEASE)
    (folder / "notes.txt").write_text("what is new\n")
    return folder


class Quiet(uvicorn.Server):
    """No signal handlers: the test ends it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class Served:
    """A server on loopback, as a command line finds it."""

    url: str
    services: TestServices
    loop: asyncio.AbstractEventLoop
    environment: dict[str, str]


@contextmanager
def served(state: Path, nodes: int = 4) -> Iterator[Served]:
    """Serve from a thread, until the block ends."""
    state.mkdir(parents=True, exist_ok=True)
    (state / "token").write_text(TOKEN)
    found: list[Served] = []
    ready = threading.Event()
    closing = asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    environment = {"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(state)}

    async def run() -> None:
        async with running(state, nodes) as services:
            server = Quiet(uvicorn.Config(operators_app(services, closing), lifespan="off", log_config=None, access_log=False))
            task = asyncio.create_task(server.serve([listener]))
            found.append(Served(url, services, asyncio.get_running_loop(), environment))
            ready.set()
            await closing.wait()
            server.should_exit = True
            await task

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="server")
    thread.start()
    try:
        assert ready.wait(30), "the server did not start"
        yield found[0]
    finally:
        if found:
            found[0].loop.call_soon_threadsafe(closing.set)
        thread.join(30)
