"""A fleet of 300 nodes with everything going wrong now and then: longer than the other tests, and run on its own."""

from __future__ import annotations

import json

import pytest

from escalator.model.progress import TaskState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.rules import Fault
from escalator.world.timings import Timings
from escalator.world.world import World

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
NODES = 300
DOCUMENT = {
    "apiVersion": "escalator/v1",
    "kind": "Campaign",
    "metadata": {"name": "fleet"},
    "spec": {
        "release": RELEASE.id,
        "mode": "smooth",
        "scope": {"select": {"role": "compute"}},
        "waves": {"max_unavailable": "5%"},
        "node": {"driver": "simulated"},
        "failure": {"max_failed": NODES, "same_error": NODES},
    },
}
FAULTS = (
    Fault(kind="live_migration", effect="fail", probability=0.02),
    Fault(kind="upgrade", effect="fail", probability=0.02),
    Fault(kind="health", effect="fail", probability=0.01),
    Fault(kind="reboot", effect="slow", probability=0.05, factor=3.0),
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fleet_with_faults_ends_with_every_node_in_service_or_reported(seed: int) -> None:
    virtual_time.run(campaign(seed))


async def campaign(seed: int) -> None:
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock, Timings(jitter=0.2, seed=seed))
    world.seed(nodes=NODES, seed=seed)
    for fault in FAULTS:
        world.faults.add(fault)
    before = {instance.id for instance in world.inventory().instances}
    async with simulate(world, clock) as simulation:
        await import_release(simulation.store, RELEASE, clock.now())
        await simulation.campaigns.create(json.dumps(DOCUMENT))
        plan = await simulation.campaigns.plan("fleet")
        assert plan.smooth
        await simulation.campaigns.start("fleet")
        await simulation.engine.result("campaign/fleet")
        view = await simulation.campaigns.show("fleet")
        states = {state: sum(task.state is state for task in view.tasks) for state in TaskState}
        print(f"seed {seed}: {states}")
        assert view.row.state.value == "completed"
        assert states[TaskState.DONE] > NODES * 0.9
        assert world.audit.incidents == ()
        assert world.audit.most_unavailable() <= NODES * 0.05
        reported = {row.node for row in await simulation.store.restorations.open()}
        assert set(await simulation.ctx.cloud.unavailable()) == reported
        assert reported == {task.node for task in view.tasks if task.state is TaskState.FAILED}
        after = {instance.id for instance in world.inventory().instances if instance.running}
        assert after == before
