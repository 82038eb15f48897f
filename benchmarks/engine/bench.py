"""CPU, wall time, memory and database bytes per node task, on the simulated cloud.

    python benchmarks/engine/bench.py dbos 200        # the durable runtime on SQLite, concurrency 50
    python benchmarks/engine/bench.py memory 200      # the memory runtime in virtual time
    python benchmarks/engine/bench.py all --repeat 3  # every figure of the page in docs/explanation/benchmarks.md

Every node has one instance that a VNF manager speaks for, so each turn has all its steps, a notice with its answer, and
a move. The simulated operations take no time worth mentioning: what is measured is Escalator. CPU is that of the whole
process, simulated cloud included. One size is one process, so that memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from escalator.allocation import look_less_for_cycles, share_one_heap
from escalator.clocks import SystemClock
from escalator.logs import configure_logs
from escalator.model.inventory import Instance, Inventory, Node
from escalator.settings import Cloud, Log, Settings, SimulatedWorld
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.wiring import open_services
from escalator.world.records import VnfmRow
from escalator.world.timings import Timings
from escalator.world.world import World

CONCURRENCY = 50
SPEED = 1e6
DOCUMENT = {
    "apiVersion": "escalator/v1",
    "kind": "Campaign",
    "metadata": {"name": "bench"},
    "spec": {
        "release": RELEASE.id,
        "mode": "smooth",
        "scope": {"select": {"role": "compute"}},
        "waves": {"max_unavailable": CONCURRENCY},
        "migration": {"per_node": 4, "total": 200},
        "node": {"driver": "simulated"},
    },
}


def inventory(nodes: int) -> Inventory:
    """The last tenth is empty; every other node has one instance."""
    cell = {"pcpu": 48.0, "mem_mib": 196608.0}
    hosts = tuple(Node(id=f"cn-{n:05}", numa=(cell,)) for n in range(nodes))
    full = nodes - max(1, nodes // 10)
    demand = {"pcpu": 24.0, "mem_mib": 65536.0}
    return Inventory(
        nodes=hosts,
        instances=tuple(Instance(id=f"vm-{n:05}", project="core", node=f"cn-{n:05}", demand=demand) for n in range(full)),
    )


def vnfms() -> tuple[VnfmRow, ...]:
    return (VnfmRow(name="vnfm", behaviour="migrate", delay_s=0.0, projects=("core",)),)


async def memory(nodes: int) -> dict[str, float]:
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock, Timings())
    world.load(inventory(nodes), vnfms())
    async with simulate(world, clock) as simulation:
        await import_release(simulation.store, RELEASE, clock.now())
        await simulation.campaigns.create(json.dumps(DOCUMENT))
        await simulation.campaigns.plan("bench")
        meter = Meter()
        await simulation.campaigns.start("bench")
        await simulation.engine.result("campaign/bench")
        view = await simulation.campaigns.show("bench")
        check(view.done, [task.state.value for task in view.tasks], nodes)
        return meter.read(nodes, 0)


def settings_of(state: Path) -> Settings:
    return Settings(state_dir=str(state), cloud=Cloud(driver="simulated", simulated=SimulatedWorld(speed=SPEED)))


def prepare(nodes: int, state: Path) -> None:
    """The cloud, the database and the release, as an earlier start of the server leaves them."""

    async def once() -> None:
        async with open_services(settings_of(state)) as services:
            await import_release(services.ctx.store, RELEASE, services.ctx.clock.now())

    world = World.open(state / "world.sqlite", SystemClock(), Timings(speed=SPEED))
    world.load(inventory(nodes), vnfms())
    world.close()
    asyncio.run(once())


async def dbos(nodes: int, state: Path) -> dict[str, float]:
    async with open_services(settings_of(state)) as services:
        await services.campaigns.create(json.dumps(DOCUMENT))
        await services.campaigns.plan("bench")
        before = size(state)
        meter = Meter()
        await services.campaigns.start("bench")
        await services.ctx.launcher.engine.result("campaign/bench")  # type: ignore[attr-defined]
        found = meter.read(nodes, size(state) - before)
        view = await services.campaigns.show("bench")
        check(view.done, [task.state.value for task in view.tasks], nodes)
        return found


class Meter:
    """CPU and wall time from now on."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def read(self, nodes: int, written: int) -> dict[str, float]:
        return {
            "nodes": nodes,
            "cpu_ms_per_node": round(1000 * (time.process_time() - self._cpu) / nodes, 2),
            "wall_ms_per_node": round(1000 * (time.perf_counter() - self._wall) / nodes, 2),
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            "database_bytes_per_node": round(written / nodes),
        }


def size(state: Path) -> int:
    """Bytes of our tables and the engine's, their write-ahead logs included; the world is not ours."""
    return sum(file.stat().st_size for name in ("escalator", "engine") for file in state.glob(f"{name}.sqlite*"))


def check(done: int, states: list[str], nodes: int) -> None:
    if done != nodes or set(states) != {"done"}:
        raise SystemExit(f"{done} of {nodes} nodes ended, as {set(states)}: no figure")


def once(runtime: str, nodes: int) -> dict[str, float]:
    if runtime == "memory":
        return virtual_time.run(memory(nodes))
    with tempfile.TemporaryDirectory() as folder:
        made = multiprocessing.get_context("spawn").Process(target=prepare, args=(nodes, Path(folder)))
        made.start()
        made.join()
        return asyncio.run(dbos(nodes, Path(folder)))


def every(repeat: int) -> None:
    """Each size in processes of its own; medians."""
    for runtime, nodes in (("memory", 200), ("memory", 5000), ("dbos", 200), ("dbos", 5000)):
        command = [sys.executable, __file__, runtime, str(nodes)]
        runs = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(repeat)]
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(runtime, json.dumps(median), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runtime", choices=("dbos", "memory", "all"))
    parser.add_argument("nodes", type=int, nargs="?", default=200)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    share_one_heap()
    look_less_for_cycles()
    configure_logs(Log(level="error"))
    if arguments.runtime == "all":
        every(arguments.repeat)
    else:
        print(json.dumps(once(arguments.runtime, arguments.nodes)))


if __name__ == "__main__":
    main()
