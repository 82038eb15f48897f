"""The composition root: the only place that knows drivers. Everything else is handed what it needs."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

from escalator.clocks import SystemClock
from escalator.cloud_manager.port import CloudManager
from escalator.cloud_manager.simulated import SimulatedCloud
from escalator.model.campaign import DriverName, Migration
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.inventory import Instance
from escalator.model.notice import Vnfm, VnfmSpec
from escalator.model.progress import CampaignState
from escalator.settings import Settings
from escalator.state_folder import sole_server, write_token
from escalator.storage.port import Store
from escalator.system_support.clusters.opening import opened as clusters_opened
from escalator.system_support.named import NamedCommands
from escalator.system_support.opening import real_systems
from escalator.system_support.port import SystemSupport
from escalator.system_support.releases.repository import Repository
from escalator.system_support.releases.store import ReleaseStore
from escalator.system_support.releases.trust import trust_of
from escalator.system_support.simulated import SimulatedSystem
from escalator.upgrade_manager.backups import BackupService
from escalator.upgrade_manager.copies import fill_copy
from escalator.upgrade_manager.engine import owed
from escalator.upgrade_manager.engine.campaign import run_campaign
from escalator.upgrade_manager.engine.context import (
    Availability,
    Book,
    Context,
    OutOfBand,
    Pace,
    ProbeRules,
    Signals,
    StagingPolicy,
)
from escalator.upgrade_manager.engine.earlier_sheet import open_known
from escalator.upgrade_manager.engine.leases import Leases
from escalator.upgrade_manager.engine.means import Means
from escalator.upgrade_manager.engine.node import upgrade_node
from escalator.upgrade_manager.engine.planning import Planning
from escalator.upgrade_manager.engine.restore import COURSE as RESTORE
from escalator.upgrade_manager.engine.restore import restore_node
from escalator.upgrade_manager.engine.rollback.campaign import begin_back, run_rollback
from escalator.upgrade_manager.engine.rollback.freeing import run_commit
from escalator.upgrade_manager.engine.rollback.node import roll_node_back
from escalator.upgrade_manager.engine.runtime import Course, Json, Launcher
from escalator.upgrade_manager.engine.runtimes.dbos import DbosEngine, DbosSettings, open_engine
from escalator.upgrade_manager.engine.sheet import FileSheet
from escalator.upgrade_manager.engine.sheet_notes import Notes, places
from escalator.upgrade_manager.engine.staging import COURSE, stage_ahead
from escalator.upgrade_manager.engine.states import ACTIVE, BACK
from escalator.upgrade_manager.engine.staying import Retention
from escalator.upgrade_manager.engine.workers import RenewedWorker
from escalator.upgrade_manager.history_log import log_history
from escalator.upgrade_manager.releases import ReleaseService
from escalator.upgrade_manager.service import CampaignService
from escalator.upgrade_manager.sessions import Sessions
from escalator.vim_interface.accounts import Accounts, Subscribed
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialect import Dialect
from escalator.vim_interface.dialects.broker import broker_address
from escalator.vim_interface.dialects.command import Commands
from escalator.vim_interface.dialects.fenix import Fenix
from escalator.vim_interface.dialects.fenix_bus import FenixBus
from escalator.vim_interface.dialects.http import Http
from escalator.vim_interface.dialects.manual import Manual
from escalator.vim_interface.dialects.or_vi import OrVi
from escalator.vim_interface.dialects.simulated import Simulated
from escalator.vim_interface.dialects.tacker import Tacker
from escalator.vim_interface.dialects.vi_vnfm import ViVnfm
from escalator.vim_interface.fenix.access import Access
from escalator.vim_interface.fenix.face import Face
from escalator.vim_interface.fenix.hints import Hints
from escalator.vim_interface.fenix.instances import ProjectInstances
from escalator.vim_interface.gates.opening import gates_of
from escalator.vim_interface.locks.opening import lock_service, owner_of
from escalator.vim_interface.neighbours.alertmanager import Alertmanager
from escalator.vim_interface.neighbours.hook import Hook
from escalator.vim_interface.neighbours.port import Neighbour
from escalator.vim_interface.operations.command import BusyCommand
from escalator.vim_interface.operations.port import OperationsSource
from escalator.vim_interface.operations.simulated import SimulatedOperations
from escalator.vim_interface.operations.sol003 import Sol003
from escalator.vim_interface.probes.checks import look
from escalator.vim_interface.probes.prober import Prober
from escalator.vim_interface.registrations import register_world
from escalator.vim_interface.registry import BUS
from escalator.vim_interface.subscriptions import Subscribing
from escalator.vim_interface.tacker.face import Doors
from escalator.vim_interface.tacker.face import Face as TackerFace
from escalator.vim_interface.tacker.heals import Heals
from escalator.vim_interface.vault import KEY_FILE, open_vault
from escalator.vim_interface.vim import Parts, Vim
from escalator.world.timings import Timings
from escalator.world.world import World

TOKEN_FILE = "token"  # noqa: S105 - the name of a file
"""Name of the bearer token's file in the state directory."""
COMMAND = "command"
TACKER = "tacker"
WORLD_HISTORY = 5_000
"""Lines of its audit that a simulated cloud under a server keeps: each is kept in memory, too."""
SWEEP_S = 30.0
"""How often to look for notices that another replica left in storage."""
TOKEN_BYTES = 24
"""192 random bits: more than the 128 that an unguessable reply address needs."""


def courses_of(ctx: Context) -> dict[str, Course]:
    """The workflows by the names under which they are stored."""
    return {
        "campaign": partial(run_campaign, ctx),
        "node": partial(upgrade_node, ctx),
        COURSE: partial(stage_ahead, ctx),
        RESTORE: partial(restore_node, ctx),
        "rollback": partial(run_rollback, ctx),
        "node-back": partial(roll_node_back, ctx),
        "commit": partial(run_commit, ctx),
    }


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
    backups: BackupService
    token: str
    """The operators' bearer token."""
    fenix: Face | None = None
    """The interface of OpenStack Fenix, where it is switched on."""
    tacker: TackerFace | None = None
    """The interface for Tacker's fault notification, where it is switched on."""
    subscribing: Subscribing | None = None
    """Subscriptions of VNF managers."""
    sessions: Sessions | None = None
    """Sessions of the Fenix interface that administrators start, where there are templates."""

    @property
    def repository(self) -> Repository:
        """Files for the nodes."""
        return self.importer.repository


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything that a server is made of, on the running loop, and close it at the end.

    Raises InputError or PermanentError for settings that cannot be met, ConflictError when another server uses this state.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stack.enter_context(sole_server(settings.state))
        store = await stack.enter_async_context(open_known(settings, clock))
        importer = ReleaseStore(settings.state, store.releases, clock, trust_of(settings.releases.trust))
        await importer.refresh()
        cloud, systems, world = _drivers(settings, clock, importer, stack)
        named = NamedCommands(settings.commands, os.environ, settings.state / "commands")
        clusters = clusters_opened(settings, world, named)
        subscribed = Subscribed(store.subscriptions, open_vault(settings.state / KEY_FILE), settings.vim.callback_hosts)
        accounts = Accounts(Credentials(settings.credentials), clock, settings.vim.client_certificate, subscribed)
        native = ViVnfm(accounts, settings.vnfm.url, settings.vim.delivery_timeout_s)
        stack.push_async_callback(native.close)
        launcher, commands = _LateLauncher(), _commands(settings, clock, stack)
        heals = _heals(store, clock, cloud)
        dialects = _dialects(settings, store, world, accounts, stack) | _tacker(settings, store, heals, accounts, stack)
        dialects |= await _bus(settings, store, clock, stack)
        vim = Vim(
            Parts(
                store=store,
                dialects={"vi-vnfm": native, **dialects, COMMAND: commands},
                clock=clock,
                credentials=Credentials(settings.credentials),
                wake=waker(launcher),
                new_token=lambda: secrets.token_urlsafe(TOKEN_BYTES),
                limits=settings.vim,
                base_url=settings.vnfm.url,
                operations=_operations(settings, world, commands, accounts, stack),
                commands=settings.vim.commands.keys(),
                people_told=bool(settings.vim.manual.argv),
            )
        )
        commands.on_reply, heals.on_reply = partial(vim.look, COMMAND), partial(vim.look, TACKER)
        await asyncio.gather(register_world(world, store), vim.grace.give())  # the engine may take up a DEFER at once
        workers, book = stack.enter_context(RenewedWorker()), Book(store)
        ctx = Context(
            store=store,
            cloud=cloud,
            systems=systems,
            clusters=clusters,
            vim=vim,
            clock=clock,
            launcher=launcher,
            sheet=FileSheet(settings.state, places(settings), Notes(store, book).of),
            book=book,
            signals=Signals(),
            planning=Planning(vim, lambda: f"plan-{uuid4()}", workers, Means(systems, book.release, clusters)),
            leases=_leases(settings, clock, world),
            gates=gates_of(settings.gates, os.environ, Credentials(settings.credentials), world),
            vetting=importer.vetting,
            commands=named,
            neighbours=_neighbours(settings, clock, stack),
            probe_vm=ProbeRules.of(settings.cloud.probe_vm),
            **_policies(settings),
        )
        await ctx.sheet.rewrite(store.restorations)
        launcher.engine = await stack.enter_async_context(open_engine(_engine_settings(settings), courses_of(ctx)))
        await _tend(settings, ctx, vim, stack)
        await _begin_what_runs(ctx)
        backups = await _tend_backups(settings, ctx, stack)
        cases, token = (CampaignService(ctx), ReleaseService(ctx, _retention(settings))), write_token(settings.state / TOKEN_FILE)
        faces = _fenix_face(settings, ctx, vim, stack), _tacker_face(settings, ctx, heals, stack)
        subscribing = Subscribing(store, accounts, subscribed, native.probe, settings.vnfm.url)
        sessions = _sessions(settings, ctx, cases[0], faces[0])
        yield Services(settings, ctx, *cases, vim, importer, backups, token, *faces, subscribing, sessions)


def _policies(settings: Settings) -> dict[str, Any]:
    """What the settings say of how the engine goes about its work."""
    availability, staging = settings.availability, settings.system.staging
    return {
        "pace": _pace(settings),
        "availability": Availability(availability.percent / 100, availability.period_days * 86400.0),
        "staging": StagingPolicy(staging.concurrent, staging.ahead),
        "out_of_band": OutOfBand(**settings.system.out_of_band.model_dump()),
    }


def _retention(settings: Settings) -> Retention:
    return Retention(settings.backups.keep_last, settings.backups.max_age_days * 86400.0)


async def _tend_backups(settings: Settings, ctx: Context, stack: AsyncExitStack) -> BackupService:
    """Take up the restores that were under way, and let go from now on what retention lets go."""
    backups = BackupService(ctx, _retention(settings))
    await backups.take_up()
    group = await stack.enter_async_context(asyncio.TaskGroup())
    stack.callback(group.create_task(backups.tend(settings.backups.prune_every_s)).cancel)
    return backups


def _leases(settings: Settings, clock: Clock, world: World | None) -> Leases:
    service = lock_service(settings.locks, os.environ, clock, world)
    return Leases(service, owner_of(settings.locks, settings.state), settings.locks.ttl_s, clock)


async def _tend(settings: Settings, ctx: Context, vim: Vim, stack: AsyncExitStack) -> None:
    """Run what goes on beside the engine: notices go out, keys are renewed, services are looked at."""
    # A dispatcher that failed must not go unnoticed: its end ends the server, with the error.
    group = await stack.enter_async_context(asyncio.TaskGroup())
    prober = Prober(settings.probes, ctx.store.outages, ctx.clock, partial(_running, ctx.store), look)
    beside = (vim.run(SWEEP_S), ctx.leases.run(), prober.run(), owed.watch(ctx), log_history(ctx.store.events, ctx.clock))
    for work in beside:
        stack.callback(group.create_task(work).cancel)


async def _running(store: Store) -> str | None:
    return next((row.name for row in await store.campaigns.list() if row.state in ACTIVE), None)


async def _begin_what_runs(ctx: Context) -> None:
    """A server may have died between the record that a campaign runs and the start of its workflow."""
    for row in await ctx.store.campaigns.list():
        if row.state in ACTIVE:
            await ctx.launcher.start("campaign", f"campaign/{row.name}", {"campaign": row.name})
        if row.state in BACK:
            await begin_back(ctx, row.name)
        if row.state is CampaignState.COMMITTED:
            await ctx.launcher.start("commit", f"commit/{row.name}", {"campaign": row.name})


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
        world = World.open(settings.world, clock, Timings(speed=simulated.speed, seed=simulated.seed), history=WORLD_HISTORY)
        stack.callback(world.close)
        cloud, systems = simulated_drivers(world)
        if simulated.inventory is not None:
            fill_copy(world, Path(simulated.inventory))
            # Its nodes bear the names of real ones: no campaign reaches those by mistake.
            return cloud, dict.fromkeys(get_args(DriverName), systems["simulated"]), world
        if world.empty:
            world.seed(nodes=simulated.nodes, seed=simulated.seed, others=simulated.others.items())
        return cloud, systems | real_systems(settings, importer, clock, stack), world
    # openstacksdk takes a second to import: only who uses it pays for it.
    from escalator.cloud_manager.openstack.driver import OpenStackCloud  # noqa: PLC0415

    openstack = OpenStackCloud(settings.cloud)
    stack.callback(openstack.close)
    return openstack, real_systems(settings, importer, clock, stack), None


def _dialects(
    settings: Settings, store: Store, world: World | None, accounts: Accounts, stack: AsyncExitStack
) -> dict[str, Dialect]:
    people = Manual(settings.vim.manual, settings.vnfm.url, settings.vim.delivery_timeout_s, os.environ)
    vim_id = settings.vim.or_vi.vim_id or settings.cloud.os_cloud or settings.cloud.driver
    above = OrVi(accounts, settings.vnfm.url, settings.vim.delivery_timeout_s, vim_id)
    stack.push_async_callback(above.close)
    dialects: dict[str, Dialect] = {"manual": people, "or-vi": above}
    if settings.vim.fenix.auth != "off":
        fenix = Fenix(accounts, Hints(store), settings.vnfm.url, settings.vim.delivery_timeout_s)
        stack.push_async_callback(fenix.close)
        dialects["fenix"] = fenix
    if world is not None:
        dialects["simulated"] = Simulated(world.vnfms)
    return dialects


async def _bus(settings: Settings, store: Store, clock: Clock, stack: AsyncExitStack) -> dict[str, Dialect]:
    """The message bus, registered for as long as the settings name a broker."""
    wanted, known = settings.vim.fenix.notifications, await store.vnfms.get(BUS)
    if not wanted.on:
        if known is not None and known.spec.dialect == BUS:
            await store.vnfms.remove(BUS)
        return {}
    # Its client is an extra: only who asks for it needs it; that it is missing is told when the address is asked for.
    address = broker_address(wanted, Credentials(settings.credentials), os.environ)
    address()
    from escalator.vim_interface.dialects.rabbitmq import Rabbitmq  # noqa: PLC0415

    bus = FenixBus(Rabbitmq(wanted, address, settings.vim.delivery_timeout_s), store, clock, settings.vnfm.url, wanted.project)
    stack.push_async_callback(bus.close)
    if known is None:
        await store.vnfms.add(Vnfm(name=BUS, spec=VnfmSpec(dialect=BUS)))
    elif known.spec.dialect != BUS:
        message = f"{known.name} is the name of the message bus, and a VNF manager is registered by it."
        raise ConflictError(Code.VIM_DUPLICATE, message, remedy=f"Remove it with escalator vnfm remove {known.name}")
    return {BUS: bus}


def _commands(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Commands:
    commands = Commands(settings.vim.commands, settings.vnfm.url, settings.vim.max_defer_s, os.environ, clock)
    stack.push_async_callback(commands.close)
    return commands


def _operations(
    settings: Settings, world: World | None, commands: Commands, accounts: Accounts, stack: AsyncExitStack
) -> tuple[OperationsSource, ...]:
    http = Http(accounts, settings.vim.delivery_timeout_s)
    stack.push_async_callback(http.close)
    simulated = () if world is None else (SimulatedOperations(world.vnfms),)
    return (Sol003(http), BusyCommand(commands), *simulated)


def _fenix_face(settings: Settings, ctx: Context, vim: Vim, stack: AsyncExitStack) -> Face | None:
    async def everything() -> Sequence[Instance]:
        return (await ctx.cloud.inventory(Migration())).instances

    instances = ProjectInstances(everything, ctx.cloud.instance, ctx.clock)
    if settings.vim.fenix.auth == "off":
        return None
    if settings.vim.fenix.auth == "none":
        return Face(ctx.store, vim.inbox, ctx.clock, Access(None), instances)
    from escalator.cloud_manager.openstack.tokens import KeystoneTokens  # noqa: PLC0415 - as in `_drivers`

    tokens = KeystoneTokens(settings.cloud, ctx.clock)
    stack.callback(tokens.close)
    access = Access(tokens.project_of, tokens.roles_of, settings.vim.fenix.sessions.role)
    return Face(ctx.store, vim.inbox, ctx.clock, access, instances)


def _sessions(settings: Settings, ctx: Context, campaigns: CampaignService, face: Face | None) -> Sessions | None:
    templates = settings.vim.fenix.sessions.templates
    if face is None or not templates:
        return None
    sessions = Sessions(ctx, campaigns, templates, settings.vim.fenix.sessions.plugins)
    face.gone = sessions.gone
    return sessions


def _heals(store: Store, clock: Clock, cloud: CloudManager) -> Heals:
    async def present(node: str) -> set[str]:
        return {instance.id for instance in await cloud.instances_on(node, Migration())}

    return Heals(store.alarms, clock, present, cloud.instance)


def _tacker(settings: Settings, store: Store, heals: Heals, accounts: Accounts, stack: AsyncExitStack) -> dict[str, Dialect]:
    if settings.vim.tacker.auth == "off":
        return {}
    http = Http(accounts, settings.vim.delivery_timeout_s)
    dialect = Tacker(http, store.alarms, heals, accounts.clock, settings.vim.tacker.fault_id)
    stack.push_async_callback(dialect.close)
    return {TACKER: dialect}


def _tacker_face(settings: Settings, ctx: Context, heals: Heals, stack: AsyncExitStack) -> TackerFace | None:
    async def owner_of(instance_id: str) -> str | None:
        found = await ctx.cloud.instance(instance_id)
        return None if found is None else found.project

    async def nobody(_: str) -> None:
        return None

    credentials = Credentials(settings.credentials)
    doors = Doors(access=None, name_of=nobody, credentials=credentials)
    match settings.vim.tacker.auth:
        case "off":
            return None
        case "none":
            doors = Doors(access=Access(None), name_of=nobody, credentials=credentials)
        case "keystone":
            from escalator.cloud_manager.openstack.tokens import KeystoneTokens  # noqa: PLC0415 - as in `_drivers`

            tokens = KeystoneTokens(settings.cloud, ctx.clock)
            stack.callback(tokens.close)
            doors = Doors(access=Access(tokens.project_of), name_of=tokens.name_of, credentials=credentials)
    return TackerFace(ctx.store, heals, ctx.clock, doors, owner_of)


def _neighbours(settings: Settings, clock: Clock, stack: AsyncExitStack) -> tuple[Neighbour, ...]:
    told: list[Neighbour] = [Hook(name, hook, os.environ) for name, hook in settings.neighbours.hooks.items()]
    if settings.neighbours.masakari.enabled:
        from escalator.cloud_manager.openstack.instance_ha import Masakari  # noqa: PLC0415 - as in `_drivers`

        masakari = Masakari(settings.neighbours.masakari, settings.cloud)
        stack.callback(masakari.close)
        told.append(masakari)
    if settings.neighbours.alertmanager.url is not None:
        told.append(Alertmanager(settings.neighbours.alertmanager, Credentials(settings.credentials), clock))
    return tuple(told)


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
