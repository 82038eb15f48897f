"""A node's turn that another replica went on with, and that comes back: what that one recorded stands."""

from __future__ import annotations

from escalator.model.progress import Rung
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

UNDER_WAY = """
world nodes=4 seed=1
campaign agent waves.max_unavailable=1
plan agent
start agent
until agent node.cordon cn-0003
"""


async def _ladder() -> set[Rung]:
    async with staged() as stage:
        await stage.play(UNDER_WAY)
        ctx, engine = stage.sim.ctx, stage.sim.ctx.launcher
        [before] = [task for task in ctx.tasks.values() if task.node == "cn-0003"]
        await stage.play("until agent node.upgrade cn-0003")
        await engine.crash()  # type: ignore[attr-defined]
        # What the other one did since is known to storage alone.
        ctx.tasks[before.id] = before
        engine.recover()  # type: ignore[attr-defined]
        await stage.play("run agent")
        task = await ctx.store.tasks.get("agent", "cn-0003")
        assert task is not None
        return {condition.rung for condition in task.ladder if condition.status}


def test_what_another_replica_recorded_of_a_turn_stands_when_it_comes_back() -> None:
    assert {Rung.CORDONED, Rung.VACATED, Rung.BACKED_UP, Rung.UPGRADED, Rung.VERIFIED} <= virtual_time.run(_ladder())
