"""Probe VMs and a manager that comes back with other settings: nothing is left behind."""

from __future__ import annotations

import json
from typing import Any

from escalator.model.progress import TaskState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.storage.memory import memory_store
from escalator.upgrade_manager.engine.context import ProbeRules
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.memory import Journal
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World


def test_a_probe_is_taken_away_where_none_is_set_up_after_a_restart() -> None:
    async def play() -> tuple[Any, tuple[str, ...], list[Any]]:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1, fill=0.1)
        store, journal = memory_store(), Journal()
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {"names": ["cn-0002"]}}}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        document["spec"]["node"] = {"driver": "simulated"}
        async with simulate(world, clock, store=store, journal=journal, probe_vm=ProbeRules()) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            await sim.campaigns.create(json.dumps(document))
            await sim.campaigns.plan("c")
            await sim.campaigns.start("c")
            while not world.probes.names:
                await clock.sleep(1.0)
        async with simulate(world, clock, store=store, journal=journal) as sim:
            while (task := await store.tasks.get("c", "cn-0002")) is None or task.state is TaskState.RUNNING:
                await clock.sleep(30.0)
            return task.state, world.probes.names, [*await store.restorations.open()]

    assert virtual_time.run(play()) == (TaskState.DONE, (), [])
