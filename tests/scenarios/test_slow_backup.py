"""A backup of gigabytes takes its time, and has as long as what is installed after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from escalator.model.backup import FULL_SCOPE
from escalator.model.progress import TaskState
from escalator.model.release import Release
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

NODE = "cn-0003"


async def _turn(takes_s: float) -> TaskState:
    async with staged() as stage:
        await stage.play("world nodes=4 seed=1\ncampaign agent node.driver=simulated node.timeouts.upgrade_s=2400\nplan agent")
        system = stage.sim.ctx.systems["simulated"]
        backup = system.backup

        async def slow(node: str, release: Release, operation: str, scope: Sequence[str] = FULL_SCOPE) -> Mapping[str, object]:
            if node == NODE:
                await stage.clock.sleep(takes_s)
            return await backup(node, release, operation, scope)

        system.backup = slow  # type: ignore[method-assign]
        await stage.play("start agent\nrun agent")
        task = await stage.sim.store.tasks.get("agent", NODE)
        assert task is not None
        return task.state


def test_a_backup_may_take_as_long_as_an_installer() -> None:
    assert virtual_time.run(_turn(1700.0)) is TaskState.DONE


def test_a_backup_that_takes_longer_ends_the_turn() -> None:
    assert virtual_time.run(_turn(2500.0)) is TaskState.ROLLED_BACK
