"""The process that makes plans may die at any moment: planning goes on with another one."""

import os

import pytest

from escalator.clocks import SystemClock
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.context import Pace
from escalator.upgrade_manager.engine.workers import RenewedWorker
from escalator.world.timings import Timings
from escalator.world.world import World

CAMPAIGN = """
apiVersion: escalator/v1
kind: Campaign
metadata: {name: agent-2}
spec:
  release: nfvi-agent/2.0.0
  mode: smooth
  scope: {select: {role: compute}}
  node: {driver: simulated}
"""


class Dying(RenewedWorker):
    """A worker process that dies at work for as long as it `dies`."""

    dies = False

    def submit(self, fn, /, *args, **kwargs):
        return super().submit(os.abort) if self.dies else super().submit(fn, *args, **kwargs)


async def test_a_plan_is_made_after_the_worker_died_at_another_one():
    clock = SystemClock()
    world = World(clock, Timings(speed=2000.0, seed=1))
    world.seed(nodes=4, seed=1)
    with Dying() as worker:
        async with simulate(world, clock, planners=worker) as made:
            await import_release(made.store, RELEASE, clock.now())
            await made.campaigns.create(CAMPAIGN)
            worker.dies = True
            with pytest.raises(TemporaryError) as raised:
                await made.campaigns.plan("agent-2")
            assert raised.value.code is Code.PLN_WORKER
            worker.dies = False
            assert (await made.campaigns.plan("agent-2")).upgrades


async def test_the_way_back_is_planned_by_the_worker_as_well():
    """Everything that a plan is made from has to reach another process."""
    clock = SystemClock()
    world = World(clock, Timings(speed=20000.0, seed=1))
    world.seed(nodes=4, seed=1)
    with RenewedWorker() as worker:
        async with simulate(world, clock, planners=worker, pace=Pace(poll_s=0.01, door_s=0.01)) as made:
            await import_release(made.store, RELEASE, clock.now())
            await made.campaigns.create(CAMPAIGN)
            await made.campaigns.plan("agent-2")
            await made.campaigns.start("agent-2")
            while await made.store.campaigns.state("agent-2") is CampaignState.RUNNING:
                await clock.sleep(0.05)
            assert (await made.campaigns.back.preview("agent-2")).upgrades
