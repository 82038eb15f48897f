"""A start that is refused for good: what was begun before it is not forgotten, and nothing runs under the node's instances."""

from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.progress import TaskState
from escalator.model.release import Release
from escalator.upgrade_manager.engine.rollback.changed import OPERATION
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

NODE = "cn-0003"
LINES = """
world nodes=4 seed=1
campaign agent failure.max_failed=5
plan agent
"""
RUN = f"start agent\nrun agent\nwait 3600\nruns {NODE}"


def _refuse(stage: Stage, *, begins: bool, silent: int = 1) -> None:
    """The node takes the first start or does not, its answer is lost; from then on it refuses our key when it is started."""
    system = stage.sim.ctx.systems["simulated"]
    start, tries = system.start, 0

    async def refusing(node: str, release: Release, operation: str) -> None:
        nonlocal tries
        if node != NODE:
            await start(node, release, operation)
            return
        tries += 1
        if tries > silent:
            raise PermanentError(Code.SYS_CREDENTIALS, f"{node} refuses our key.")
        if begins:
            await start(node, release, operation)
        raise TemporaryError(Code.SYS_UNREACHABLE, f"{node} does not answer.")

    system.start = refusing  # type: ignore[method-assign]


async def _played(*, begins: bool, silent: int = 1) -> tuple[TaskState, list[str], str, object, list[str]]:
    """The node's state and what its operations are, what it runs, what its turn remembers, and what is broken."""
    async with staged() as stage:
        await stage.play(LINES)
        _refuse(stage, begins=begins, silent=silent)
        await stage.play(RUN)
        task = await stage.sim.store.tasks.get("agent", NODE)
        assert task is not None
        operations = [f"{row.kind} {row.state}" for row in stage.world.state.operations.rows.values() if row.node == NODE]
        memo = await stage.sim.store.tasks.memo(task.id)
        return task.state, operations, stage.lines[-1], memo.get(OPERATION), list(await stage.invariants())


def test_an_installer_whose_start_is_refused_when_it_is_repeated_is_followed_to_its_end() -> None:
    state, operations, runs, _, broken = virtual_time.run(_played(begins=True))
    assert (state, operations) == (TaskState.DONE, ["upgrade done"])
    assert "'nfvi-agent': '2.0.0'" in runs
    assert broken == []


@pytest.mark.parametrize("silent", [1, 3])
def test_a_node_that_may_have_begun_is_put_back_before_it_is_in_service(silent: int) -> None:
    state, operations, runs, operation, broken = virtual_time.run(_played(begins=False, silent=silent))
    assert (state, operations) == (TaskState.ROLLED_BACK, ["rollback done"])
    assert "'nfvi-agent': '1.0.0'" in runs
    assert operation is None
    assert broken == []


def test_a_node_that_refuses_the_very_first_start_is_not_touched() -> None:
    state, operations, _, operation, broken = virtual_time.run(_played(begins=False, silent=0))
    assert (state, operations, operation, broken) == (TaskState.ROLLED_BACK, [], None, [])
