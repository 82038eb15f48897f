"""The door of a VNF whose manager is at work on it: what begins waits, what has begun is seen to its end."""

from __future__ import annotations

import asyncio
import json

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.storage.port import ImpactRow
from escalator.upgrade_manager.engine.doors import enter_impact
from escalator.upgrade_manager.engine.job import Job, TaskRef, job_of
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.world import World

VACATE_S = 600.0


async def job(sim: Simulation) -> Job:
    """A node's turn in a campaign that is planned."""
    await import_release(sim.store, RELEASE, sim.ctx.clock.now())
    node = {"driver": "simulated", "timeouts": {"vacate_s": VACATE_S}}
    spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": node}
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
    await sim.campaigns.create(json.dumps(document))
    plan = await sim.campaigns.plan("c")
    return await job_of(sim.ctx, TaskRef("c", plan.moves[0].origin, 1, 1, plan.id))


def test_what_begins_waits_within_bounds_and_what_has_begun_does_not() -> None:
    async def run() -> None:
        clock = virtual_time.VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=4, seed=1)
        async with simulate(world, clock, strict=True) as sim:
            made = await job(sim)
            instance = next(i for i in world.instances_on(made.node) if i.vnf is not None)
            owner = (await sim.vim.owners([instance]))[instance.id]
            world.vnfms.operate(owner, instance.vnf or "", 86400.0)
            row = ImpactRow(id="c/1", campaign="c", node=made.node, instance=instance.id, kind="in-place", started_at=clock.now())
            async with asyncio.timeout(2 * VACATE_S) as limit:
                made.deadline.over(limit)
                began = clock.now()
                await enter_impact(made, row, instance, begun=True)
                assert clock.now() == began
                with pytest.raises(PermanentError) as caught:
                    await enter_impact(made, row, instance)
            assert caught.value.code is Code.UPG_TIMEOUT
            assert f"HEAL of VNF {instance.vnf} is under way" in caught.value.message
            assert VACATE_S <= clock.now() - began <= VACATE_S + sim.ctx.pace.recheck_s

    virtual_time.run(run())
