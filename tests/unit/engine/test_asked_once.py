"""What VNF managers were asked stays what they were asked, also where the step is repeated after a crash."""

from __future__ import annotations

import json

from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.job import TaskRef, job_of
from escalator.upgrade_manager.engine.outcome import Status
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.steps.consult import CONSULT
from escalator.upgrade_manager.engine.steps.notify import NOTIFY
from escalator.upgrade_manager.engine.steps.vacate import VACATE
from escalator.world.world import World

NODE, NEW = "cn-0003", "vm-new"


async def _repeated() -> tuple[set[str], set[str], Status, str]:
    """Who is planned for and decided about when an instance comes between two runs of the step; what vacating says."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=4, seed=1)
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        await sim.campaigns.create(json.dumps(document))
        plan = await sim.campaigns.plan("c")
        job = await job_of(sim.ctx, TaskRef("c", NODE, 1, 1, plan.id))
        assert (await NOTIFY.do(job)).status is Status.DONE
        await clock.sleep(600.0)
        owners = await sim.vim.owners(world.instances_on(NODE))
        like = next(i for i in world.instances_on(NODE) if i.id in owners)
        with world.state.change():
            world.state.place(like.model_copy(update={"id": NEW, "groups": (), "demand": {}, "vacate": "in-place"}))
        assert NEW in await sim.vim.owners(world.instances_on(NODE))
        assert (await NOTIFY.do(job)).status is Status.DONE
        assert (await CONSULT.do(job)).status is Status.DONE
        memo = await job.memo()
        end = await VACATE.do(job)
        return set(memo["planned"]), set(memo["decisions"]), end.status, end.message


def test_an_instance_that_came_since_is_not_touched_without_consent() -> None:
    planned, decided, status, message = virtual_time.run(_repeated())
    assert NEW not in planned | decided
    assert (status, message) == (Status.SKIP, f"instance {NEW} came to the node although it is cordoned")
