"""A failure domain of storage that may not stop as a whole goes node by node, and never two of it at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from escalator.model.inventory import Inventory, Node
from escalator.model.progress import NodeTask, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.system_support.clusters.port import Storage
from escalator.system_support.clusters.simulated import SimulatedClusters
from escalator.upgrade_manager.engine.job import Job, TaskRef, job_of
from escalator.upgrade_manager.engine.kinds import in_the_way
from escalator.upgrade_manager.engine.outcome import Status
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.steps.members import FLAG_STORAGE
from escalator.world.world import World

NODES = ("s1", "s2", "s3")
TOGETHER = "s1 and s2 hold the only copies of something"


class Cluster(SimulatedClusters):
    """A storage cluster that says what it is told to."""

    together = True
    alone = True
    clean = True

    async def storage(self, node: str, together: Sequence[str] = ()) -> Storage:
        ok = self.together if together else self.alone
        flagged = (await super().storage(node)).flagged
        return Storage(
            ok_to_stop=ok, clean=self.clean, flagged=flagged, why="" if ok else TOGETHER if together else f"{node} may not"
        )


Play = Callable[[Simulation, Cluster, dict[str, Job]], Coroutine[Any, Any, None]]


def with_two_under_way(play: Play) -> None:
    async def run() -> None:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.load(Inventory(nodes=tuple(Node(id=name, roles=("storage",), rack="r1") for name in NODES)))
        waves = {"max_unavailable": 2, "storage_domain": "rack"}
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}, "waves": waves}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        async with simulate(world, clock, strict=True) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            await sim.campaigns.create(json.dumps(document))
            plan = await sim.campaigns.plan("c")
            cluster = Cluster(world)
            ctx = replace(sim.ctx, clusters=cluster)
            for name in ("s1", "s2"):
                await sim.store.tasks.put(NodeTask(campaign="c", node=name, state=TaskState.RUNNING))
            jobs = {name: await job_of(ctx, TaskRef("c", name, 1, 1, plan.id)) for name in ("s1", "s2")}
            await play(sim, cluster, jobs)

    virtual_time.run(run())


async def _flag(job: Job) -> Status:
    return (await FLAG_STORAGE.do(job)).status


def test_a_domain_that_may_stop_as_a_whole_goes_together() -> None:
    async def play(_: Simulation, cluster: Cluster, jobs: dict[str, Job]) -> None:
        assert cluster.together
        assert await asyncio.gather(*map(_flag, jobs.values())) == [Status.DONE, Status.DONE]

    with_two_under_way(play)


def test_of_two_that_look_at_the_same_time_one_goes_and_the_other_waits_until_it_is_back() -> None:
    async def play(sim: Simulation, cluster: Cluster, jobs: dict[str, Job]) -> None:
        cluster.together = False
        assert await asyncio.gather(*map(_flag, jobs.values())) == [Status.DONE, Status.WAIT]
        undo = FLAG_STORAGE.undo
        assert undo is not None
        await undo(jobs["s1"])
        assert await _flag(jobs["s2"]) is Status.WAIT
        await sim.store.tasks.put(NodeTask(campaign="c", node="s1", state=TaskState.DONE))
        assert await _flag(jobs["s2"]) is Status.DONE

    with_two_under_way(play)


def test_the_first_by_name_waits_for_one_that_is_away_already() -> None:
    async def play(_: Simulation, cluster: Cluster, jobs: dict[str, Job]) -> None:
        peers = {"s1": ["s2", "s3"], "s2": ["s1", "s3"]}
        assert await _flag(jobs["s2"]) is Status.DONE
        cluster.together = False
        ctx = jobs["s1"].ctx
        said = f"s2 first, their failure domain may not stop as a whole: {TOGETHER}"
        assert await in_the_way(ctx, "s1", "storage", peers["s1"]) == said

    with_two_under_way(play)


def test_one_that_goes_by_itself_is_asked_for_and_goes_when_all_is_stored_whole() -> None:
    async def play(_: Simulation, cluster: Cluster, jobs: dict[str, Job]) -> None:
        ctx = jobs["s1"].ctx
        cluster.together = False
        assert await in_the_way(ctx, "s1", "storage", ["s2"]) == ""
        cluster.clean = False
        assert await in_the_way(ctx, "s1", "storage", ["s2"]) == "not everything is stored whole"
        cluster.clean, cluster.alone = True, False
        assert await in_the_way(ctx, "s1", "storage", ["s2"]) == "s1 may not"
        assert await in_the_way(ctx, "s1", "storage") == "s1 may not"

    with_two_under_way(play)
