"""A whole Escalator on a simulated cloud within one process: memory storage, memory runtime, any clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from escalator.model.clock import Clock
from escalator.model.release import Release
from escalator.storage.memory import memory_store
from escalator.storage.port import ReleaseRow, Store
from escalator.system_support.clusters.simulated import SimulatedClusters
from escalator.system_support.port import Commands
from escalator.system_support.releases.vetting import ReleaseVetting
from escalator.system_support.simulated import SimulatedCommands
from escalator.upgrade_manager.engine.context import Book, Context, OutOfBand, Pace, ProbeRules, Signals
from escalator.upgrade_manager.engine.leases import Leases
from escalator.upgrade_manager.engine.means import Means
from escalator.upgrade_manager.engine.planning import Planning
from escalator.upgrade_manager.engine.runtime import Course
from escalator.upgrade_manager.engine.runtimes.memory import Journal, MemoryEngine
from escalator.upgrade_manager.engine.sheet import NoSheet
from escalator.upgrade_manager.service import CampaignService
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialect import Dialect
from escalator.vim_interface.dialects.simulated import Simulated, SimulatedOrchestrators
from escalator.vim_interface.gates.simulated import EveryGate
from escalator.vim_interface.locks.port import LockService
from escalator.vim_interface.locks.simulated import SimulatedLocks
from escalator.vim_interface.neighbours.port import Neighbour
from escalator.vim_interface.operations.simulated import SimulatedOperations
from escalator.vim_interface.registrations import register_world
from escalator.vim_interface.vim import Parts, Vim
from escalator.wiring import courses_of, simulated_drivers, waker
from escalator.world.world import World

LEASE_S = 120.0
"""How long a simulated campaign holds its keys without renewing them."""
RELEASE = Release.model_validate(
    {
        "metadata": {"name": "nfvi-agent"},
        "spec": {
            "version": "2.0.0",
            "layers": {"agent": "2.0.0"},
            "packages": ({"name": "nfvi-agent", "version": "2.0.0"},),
            "reboot": "auto",
        },
    }
)
"""The release that the demo installs."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """Everything of one simulated Escalator."""

    world: World
    store: Store
    ctx: Context
    engine: MemoryEngine
    campaigns: CampaignService
    vim: Vim


@asynccontextmanager
async def simulate(  # noqa: PLR0913 - each is a part that somebody brings or leaves out
    world: World,
    clock: Clock,
    *,
    store: Store | None = None,
    journal: Journal | None = None,
    pace: Pace | None = None,
    strict: bool = False,
    planners: Executor | None = None,
    neighbours: tuple[Neighbour, ...] = (),
    locks: LockService | None = None,
    site: str = "simulated",
    out_of_band: OutOfBand | None = None,
    probe_vm: ProbeRules | None = None,
    commands: Commands | None = None,
    dialects: Mapping[str, Dialect] | None = None,
) -> AsyncIterator[Simulation]:
    """Put a simulated Escalator together; with a journal and storage kept, it takes up what was under way.

    `planners` makes the plans, where they are not to be made in this thread; `commands` run and
    `dialects` speak instead of simulated ones.
    """
    store = store if store is not None else memory_store()
    courses: dict[str, Course] = {}
    engine = MemoryEngine(courses, clock, journal, strict=strict)
    cloud, systems = simulated_drivers(world)
    clusters = SimulatedClusters(world)
    stored = [len(await store.campaigns.list_plans(row.name)) for row in await store.campaigns.list()]
    plans = _numbers("plan", sum(stored))
    vim = _vim(world, store, clock, engine, dialects or {})
    leases = Leases(locks or SimulatedLocks(world.locks), site, LEASE_S, clock)
    ctx = Context(
        store=store,
        cloud=cloud,
        systems=systems,
        clusters=clusters,
        vim=vim,
        clock=clock,
        launcher=engine,
        sheet=NoSheet(),
        book=Book(store),
        signals=Signals(),
        planning=Planning(vim, lambda: next(plans), planners, Means(systems, Book(store).release, clusters)),
        gates=EveryGate(world.gates),
        leases=leases,
        vetting=ReleaseVetting(store.releases, clock),
        commands=commands or SimulatedCommands(world),
        pace=pace or Pace(),
        neighbours=neighbours,
        out_of_band=out_of_band or OutOfBand(),
        probe_vm=probe_vm,
    )
    courses.update(courses_of(ctx))
    await register_world(world, store)
    outbox = asyncio.create_task(vim.run())
    renewal = asyncio.create_task(leases.run())
    engine.recover()
    try:
        yield Simulation(world, store, ctx, engine, CampaignService(ctx), vim)
    finally:
        await engine.crash()
        outbox.cancel()
        renewal.cancel()
        await asyncio.gather(outbox, renewal, return_exceptions=True)


def _vim(world: World, store: Store, clock: Clock, engine: MemoryEngine, dialects: Mapping[str, Dialect]) -> Vim:
    tokens = _numbers("simulated-reply")
    return Vim(
        Parts(
            store=store,
            dialects={"simulated": Simulated(world.vnfms), "or-vi": SimulatedOrchestrators(world.vnfms), **dialects},
            clock=clock,
            credentials=Credentials(Path("/nonexistent")),
            wake=waker(engine),
            new_token=lambda: next(tokens),
            operations=(SimulatedOperations(world.vnfms),),
        )
    )


async def import_release(store: Store, release: Release, now: float) -> None:
    """Make a release known without files: the simulated nodes need none."""
    row = ReleaseRow(id=release.id, digest=release.id, document=release.model_dump(mode="json", by_alias=True), imported_at=now)
    await store.releases.add(row)


def _numbers(word: str, known: int = 0) -> Iterator[str]:
    """Ids that are the same in every run, as a transcript has to be; those that are `known` already are not used again."""
    return (f"{word}-{number:04d}" for number in count(known + 1))
