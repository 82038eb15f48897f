"""The process that makes plans may die at any moment: planning goes on with another one."""

import os
import select
import subprocess
import sys
from concurrent.futures import BrokenExecutor

import pytest

from escalator.clocks import SystemClock
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.context import Pace
from escalator.upgrade_manager.engine.planning import Planning
from escalator.upgrade_manager.engine.workers import RenewedWorker
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verified import verified_plan
from escalator.world.timings import Timings
from escalator.world.world import World
from properties.midway import state_at
from unit.planner.clouds import campaign, cloud, node, vm

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


BEGINS = """
import os, time
from escalator.upgrade_manager.engine.workers import RenewedWorker
if __name__ == "__main__":
    worker = RenewedWorker()  # without a name it would be ended at once
    print(worker.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_a_worker_ends_with_a_server_that_is_killed(tmp_path):
    script = tmp_path / "begins.py"
    script.write_text(BEGINS)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as server:
        worker = int(server.stdout.readline())
        ends = os.pidfd_open(worker)
        server.kill()
        ended, _, _ = select.select([ends], [], [], 20.0)
        os.close(ends)
    assert ended


class Asked(RenewedWorker):
    """A worker process that says what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def submit(self, fn, /, *args, **kwargs):
        self.asked.append(fn.__name__)
        return super().submit(fn, *args, **kwargs)


async def test_the_plan_that_is_followed_is_sent_to_the_worker_once():
    there = cloud(*(node(f"n{n}") for n in range(6)), *(vm(f"v{n}", f"n{n}") for n in range(1, 6)))
    wish = campaign()
    plan = make_plan(wish, there).sealed("parent")
    now, progress = state_at(there, plan, 0.4 * plan.totals.makespan_s)
    lost = now.with_nodes([one.model_copy(update={"state": "down"}) if one.id == "n5" else one for one in now.nodes])
    expected = verified_plan(wish, lost, frozenset(), 0.0, progress).sealed("child", plan.id)
    clock = SystemClock()
    with Asked() as worker:
        async with simulate(World(clock, Timings(seed=1)), clock, planners=worker) as made:
            planning = Planning(made.vim, lambda: "child", worker, worth_keeping=1)
            planning.prepare(plan)
            planning.prepare(plan)
            assert await planning.plan(wish, lost, 0.0, plan.id, progress) == expected
            assert worker.asked == ["keep", "planned_on"]
            # Another process does not have it, and is sent it with everything else.
            with pytest.raises(BrokenExecutor):
                worker.submit(os.abort).result()
            assert await planning.plan(wish, lost, 0.0, plan.id, progress) == expected
            assert worker.asked[-2:] == ["planned_on", "verified_plan"]
