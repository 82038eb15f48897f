"""The composition root: the only place that knows drivers. Everything else is handed what it needs."""

from __future__ import annotations

import asyncio
import fcntl
import multiprocessing
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from escalator.clocks import SystemClock
from escalator.cloud_manager.port import CloudManager
from escalator.cloud_manager.simulated import SimulatedCloud
from escalator.model.campaign import Migration
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.settings import Settings
from escalator.storage.opening import open_store
from escalator.storage.port import Store
from escalator.system_support.port import SystemSupport
from escalator.system_support.releases.repository import Repository
from escalator.system_support.releases.store import ReleaseStore
from escalator.system_support.simulated import SimulatedSystem
from escalator.upgrade_manager.engine.campaign import run_campaign
from escalator.upgrade_manager.engine.context import Availability, Book, Context, Pace, Signals
from escalator.upgrade_manager.engine.node import upgrade_node
from escalator.upgrade_manager.engine.planning import Planning
from escalator.upgrade_manager.engine.runtime import Course, Json, Launcher
from escalator.upgrade_manager.engine.runtimes.dbos import DbosEngine, DbosSettings, open_engine
from escalator.upgrade_manager.engine.sheet import FileSheet
from escalator.upgrade_manager.engine.states import ACTIVE
from escalator.upgrade_manager.service import CampaignService, ReleaseService
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialect import Dialect
from escalator.vim_interface.dialects.command import Commands
from escalator.vim_interface.dialects.fenix import Fenix
from escalator.vim_interface.dialects.manual import Manual
from escalator.vim_interface.dialects.or_vi import OrVi
from escalator.vim_interface.dialects.simulated import Simulated
from escalator.vim_interface.dialects.vi_vnfm import ViVnfm
from escalator.vim_interface.fenix.access import Access
from escalator.vim_interface.fenix.face import Face
from escalator.vim_interface.neighbours.alertmanager import Alertmanager
from escalator.vim_interface.neighbours.hook import Hook
from escalator.vim_interface.neighbours.port import Neighbour
from escalator.vim_interface.vim import Parts, Vim
from escalator.world.timings import Timings
from escalator.world.world import World

TOKEN_FILE = "token"  # noqa: S105 - the name of a file
"""Name of the bearer token's file in the state directory."""
COMMAND = "command"
WORLD_HISTORY = 20_000
"""Lines of its audit that a simulated cloud under a server keeps: each is kept in memory, too."""
SWEEP_S = 30.0
"""How often to look for notices that another replica left in storage."""
TOKEN_BYTES = 24
"""192 random bits: more than the 128 that an unguessable reply address needs."""


def courses_of(ctx: Context) -> dict[str, Course]:
    """The workflows by the names under which they are stored."""
    return {"campaign": partial(run_campaign, ctx), "node": partial(upgrade_node, ctx)}


def waker(launcher: Launcher) -> Callable[[str, str, Mapping[str, Json]], Any]:
    """How the VIM Interface wakes the node task that waits for answers; a round of asking wakes its task's workflow."""

    async def wake(task: str, topic: str, payload: Mapping[str, Json]) -> None:
        await launcher.send(task.partition("~")[0], topic, dict(payload), key=str(payload["key"]))

    return wake


def simulated_drivers(world: World) -> tuple[CloudManager, dict[str, SystemSupport]]:
    """The simulated Cloud Manager and System Support on one world."""
    return SimulatedCloud(world), {"simulated": SimulatedSystem(world)}


@dataclass(frozen=True, slots=True)
class Services:
    """What the three listeners serve: the use cases, and the blocks' own doors."""

    settings: Settings
    ctx: Context
    campaigns: CampaignService
    releases: ReleaseService
    vim: Vim
    importer: ReleaseStore
    token: str
    """The operators' bearer token."""
    fenix: Face | None = None
    """The interface of OpenStack Fenix, where it is switched on."""

    @property
    def repository(self) -> Repository:
        """Files for the nodes."""
        return self.importer.repository


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything that a server is made of, on the running loop, and close it at the end.

    Raises InputError or PermanentError when the settings ask for what cannot be, ConflictError when another server uses
    this state directory.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stack.enter_context(_sole_server(settings.state))
        store = await stack.enter_async_context(open_store(settings))
        importer = ReleaseStore(settings.state, store.releases, clock)
        await importer.refresh()
        cloud, systems, world = _drivers(settings, clock, importer, stack)
        launcher = _LateLauncher()
        commands = _commands(settings, clock, stack)
        vim = Vim(
            Parts(
                store=store,
                dialects={**_dialects(settings, world, stack), COMMAND: commands},
                clock=clock,
                credentials=Credentials(settings.credentials),
                wake=waker(launcher),
                new_token=lambda: secrets.token_urlsafe(TOKEN_BYTES),
                limits=settings.vim,
                base_url=settings.vnfm.url,
            )
        )
        commands.on_reply = partial(vim.look, COMMAND)
        if world is not None:
            await register_world(world, store)
        workers = stack.enter_context(ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")))
        ctx = Context(
            store=store,
            cloud=cloud,
            systems=systems,
            vim=vim,
            clock=clock,
            launcher=launcher,
            sheet=FileSheet(settings.state / "break-glass.txt"),
            book=Book(store),
            signals=Signals(),
            planning=Planning(vim, lambda: f"plan-{uuid4()}", workers),
            pace=_pace(settings),
            availability=Availability(settings.availability.percent / 100, settings.availability.period_days * 86400.0),
            neighbours=_neighbours(settings, clock),
        )
        ctx.sheet.write(tuple(await store.restorations.open()))
        launcher.engine = await stack.enter_async_context(open_engine(_engine_settings(settings), courses_of(ctx)))
        # A dispatcher that failed must not go unnoticed: its end ends the server, with the error.
        group = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(group.create_task(vim.run(SWEEP_S)).cancel)
        await _begin_what_runs(store, launcher)
        campaigns = CampaignService(ctx)
        token = write_token(settings.state / TOKEN_FILE)
        face = _fenix_face(settings, ctx, vim, stack)
        yield Services(settings, ctx, campaigns, ReleaseService(ctx), vim, importer, token, face)


async def _begin_what_runs(store: Store, launcher: Launcher) -> None:
    """A server may have died between the record that a campaign runs and the start of its workflow."""
    for row in await store.campaigns.list():
        if row.state in ACTIVE:
            await launcher.start("campaign", f"campaign/{row.name}", {"campaign": row.name})


class _LateLauncher:
    """The launcher before the engine is there: steps need it, and it needs the steps."""

    engine: DbosEngine

    async def start(self, course: str, workflow_id: str, arguments: Mapping[str, Json]) -> None:
        await self.engine.start(course, workflow_id, arguments)

    async def send(self, workflow_id: str, topic: str, message: Json, *, key: str) -> None:
        await self.engine.send(workflow_id, topic, message, key=key)


def _drivers(
    settings: Settings, clock: Clock, importer: ReleaseStore, stack: AsyncExitStack
) -> tuple[CloudManager, dict[str, SystemSupport], World | None]:
    if settings.cloud.driver == "simulated":
        simulated = settings.cloud.simulated
        file = Path(simulated.file) if simulated.file else settings.state / "world.sqlite"
        world = World.open(file, clock, Timings(speed=simulated.speed, seed=simulated.seed), history=WORLD_HISTORY)
        stack.callback(world.close)
        if world.empty:
            world.seed(nodes=simulated.nodes, seed=simulated.seed)
        return *simulated_drivers(world), world
    # openstacksdk and asyncssh take a second to import: only who uses them pays for it.
    from escalator.cloud_manager.openstack.driver import OpenStackCloud  # noqa: PLC0415
    from escalator.system_support.command import CommandSystem  # noqa: PLC0415
    from escalator.system_support.packages.driver import PackagesSystem, Source  # noqa: PLC0415

    cloud = OpenStackCloud(settings.cloud)
    stack.callback(cloud.close)
    source = Source(settings.repository.url, importer.repository.public_key)
    systems: dict[str, SystemSupport] = {"packages": PackagesSystem(settings.system, settings.credentials, source, clock)}
    if settings.system.command.argv:
        systems["command"] = CommandSystem(settings.system.command, settings.state, os.environ)
    return cloud, systems, None


def _dialects(settings: Settings, world: World | None, stack: AsyncExitStack) -> dict[str, Dialect]:
    native = ViVnfm(Credentials(settings.credentials), settings.vnfm.url, settings.vim.delivery_timeout_s)
    stack.push_async_callback(native.close)
    people = Manual(settings.vim.manual, settings.vnfm.url, settings.vim.delivery_timeout_s, os.environ)
    vim_id = settings.vim.or_vi.vim_id or settings.cloud.os_cloud or settings.cloud.driver
    above = OrVi(Credentials(settings.credentials), settings.vnfm.url, settings.vim.delivery_timeout_s, vim_id)
    stack.push_async_callback(above.close)
    dialects: dict[str, Dialect] = {"vi-vnfm": native, "manual": people, "or-vi": above}
    if settings.vim.fenix.auth != "off":
        fenix = Fenix(Credentials(settings.credentials), settings.vnfm.url, settings.vim.delivery_timeout_s)
        stack.push_async_callback(fenix.close)
        dialects["fenix"] = fenix
    if world is not None:
        dialects["simulated"] = Simulated(world.vnfms)
    return dialects


def _commands(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Commands:
    commands = Commands(settings.vim.commands, settings.vnfm.url, settings.vim.max_defer_s, os.environ, clock)
    stack.push_async_callback(commands.close)
    return commands


def _fenix_face(settings: Settings, ctx: Context, vim: Vim, stack: AsyncExitStack) -> Face | None:
    async def instances_of(project: str) -> list[str]:
        inventory = await ctx.cloud.inventory(Migration())
        return [instance.id for instance in inventory.instances if instance.project == project]

    if settings.vim.fenix.auth == "off":
        return None
    if settings.vim.fenix.auth == "none":
        return Face(ctx.store, vim.inbox, ctx.clock, Access(None), instances_of)
    from escalator.cloud_manager.openstack.tokens import KeystoneTokens  # noqa: PLC0415 - as in `_drivers`

    tokens = KeystoneTokens(settings.cloud, ctx.clock)
    stack.callback(tokens.close)
    return Face(ctx.store, vim.inbox, ctx.clock, Access(tokens.project_of), instances_of)


async def register_world(world: World, store: Store) -> None:
    """Register the VNF managers of a world that are not registered yet."""
    known = {vnfm.name for vnfm in await store.vnfms.list()}
    for vnfm in world.vnfms.registrations():
        if vnfm.name not in known:
            await store.vnfms.add(vnfm)


def _neighbours(settings: Settings, clock: Clock) -> tuple[Neighbour, ...]:
    hooks = [Hook(name, hook, os.environ) for name, hook in settings.neighbours.hooks.items()]
    if settings.neighbours.alertmanager.url is None:
        return tuple(hooks)
    return (*hooks, Alertmanager(settings.neighbours.alertmanager, Credentials(settings.credentials), clock))


def _pace(settings: Settings) -> Pace:
    speed = settings.cloud.simulated.speed if settings.cloud.driver == "simulated" else 1.0
    poll_s = max(settings.cloud.poll_s / speed, 0.02)
    return Pace(poll_s=poll_s, slowest_poll_s=poll_s * 10, door_s=poll_s)


def _engine_settings(settings: Settings) -> DbosSettings:
    url = settings.database.url
    return DbosSettings(
        folder=settings.state,
        executor_id=settings.executor_id,
        url=None if url is None else url.replace("postgresql://", "postgresql+psycopg://", 1),
        schema=settings.database.dbos_schema,
    )


@contextmanager
def _sole_server(state: Path) -> Iterator[None]:
    """Hold the state directory: two servers on one SQLite file would both take up the same work."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                Code.STO_LOCKED, f"Another Escalator server uses {state}.", remedy="Stop it, or set another state_dir."
            ) from error
        yield


def write_token(file: Path) -> str:
    """The operators' bearer token, kept over restarts; readable by the server's user only."""
    if file.exists() and file.stat().st_mode & 0o077 == 0 and len(known := file.read_text().strip()) >= TOKEN_BYTES:
        return known
    token = secrets.token_urlsafe(TOKEN_BYTES)
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write(token + "\n")
    return token
