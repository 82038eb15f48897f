"""Probe VMs in the way of trouble: nothing is left behind, and what stood against them is told."""

from __future__ import annotations

import json
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.progress import TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.storage.memory import memory_store
from escalator.upgrade_manager.engine.context import ProbeRules
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.memory import Journal
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World

GOING = (TaskState.PENDING, TaskState.RUNNING)


async def _begun(sim: Simulation) -> None:
    await import_release(sim.store, RELEASE, sim.ctx.clock.now())
    wish = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {"names": ["cn-0002"]}}, "node": {"driver": "simulated"}}
    await sim.campaigns.create(
        json.dumps({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": wish})
    )
    await sim.campaigns.plan("c")
    await sim.campaigns.start("c")


def test_a_probe_is_taken_away_where_none_is_set_up_after_a_restart() -> None:
    async def play() -> tuple[Any, tuple[str, ...], list[Any]]:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1, fill=0.1)
        store, journal = memory_store(), Journal()
        async with simulate(world, clock, store=store, journal=journal, probe_vm=ProbeRules()) as sim:
            await _begun(sim)
            while not world.probes.names:
                await clock.sleep(1.0)
        async with simulate(world, clock, store=store, journal=journal) as sim:
            while (task := await store.tasks.get("c", "cn-0002")) is None or task.state in GOING:
                await clock.sleep(30.0)
            return task.state, world.probes.names, [*await store.restorations.open()]

    assert virtual_time.run(play()) == (TaskState.DONE, (), [])


def test_a_probe_that_the_cloud_does_not_take_fails_with_the_clouds_reason() -> None:
    async def refused(name: str, node: str) -> None:
        raise TemporaryError(Code.CLD_BUSY, f"Cannot boot {name} on {node} now: Quota exceeded for instances.")

    async def play() -> Any:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1, fill=0.1)
        async with simulate(world, clock, probe_vm=ProbeRules()) as sim:
            sim.ctx.cloud.probe_vms.boot = refused  # type: ignore[method-assign]
            await _begun(sim)
            while (task := await sim.store.tasks.get("c", "cn-0002")) is None or task.state in GOING:
                await clock.sleep(30.0)
            return task, [*await sim.store.restorations.open()], world.probes.open_doors

    task, left, doors = virtual_time.run(play())
    assert (task.state, task.code, left, doors) == (TaskState.ROLLED_BACK, "ESC-UPG-007", [], ())
    assert "Quota exceeded" in task.message
