"""Another try on a node whose first one could not be put back: what is known of the first is not lost in the second."""

from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.progress import TaskState
from escalator.upgrade_manager.engine.by_hand import take_off_ended
from escalator.upgrade_manager.engine.rollback.changed import OPERATION
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

NODE = "cn-0001"
FIRST = """
world nodes=3 seed=1
fault kind=health node=cn-0001
fault kind=rollback node=cn-0001 first=1
campaign agent waves.max_unavailable=1 node.driver=simulated node.hooks.pre_maintenance=[look]
plan agent
start agent
run agent
"""
"""The first try leaves the new software, which is not well, and no way back."""


def _fail_once_while_forgetting(stage: Stage, at: int) -> None:
    """Storage does not answer when the engine forgets the operation of a turn for the `at`th time."""
    tasks = stage.sim.store.tasks
    remember, seen = tasks.remember, 0

    async def failing(task: str, key: str, value: object, *, once: bool = False) -> object:
        nonlocal seen
        if key == OPERATION and value is None:
            seen += 1
            if seen == at:
                raise TemporaryError(Code.STO_UNAVAILABLE, "not now")
        return await remember(task, key, value, once=once)

    tasks.remember = failing  # type: ignore[method-assign]


async def _stopped_while_forgetting(lines: str, at: int) -> tuple[TaskState, str, list[str]]:
    async with staged() as stage:
        await stage.play(FIRST)
        _fail_once_while_forgetting(stage, at)
        await stage.play(f"{lines}\nruns {NODE}")
        task = await stage.sim.store.tasks.get("agent", NODE)
        assert task is not None
        return task.state, stage.lines[-1], list(await stage.invariants())


@pytest.mark.parametrize("at", [1, 2])
def test_an_undo_that_is_repeated_while_it_forgets_takes_no_newer_backup(at: int) -> None:
    state, runs, broken = virtual_time.run(_stopped_while_forgetting(f"retry agent {NODE}\nrun agent", at))
    assert state is TaskState.ROLLED_BACK
    assert "'nfvi-agent': '1.0.0'" in runs
    assert broken == []


@pytest.mark.parametrize("at", [1, 2])
def test_a_rollback_that_is_repeated_while_it_forgets_takes_no_newer_backup(at: int) -> None:
    second = f"fault kind=rollback node={NODE} first=1\nretry agent {NODE}\nrun agent\nrollback agent\nrun agent"
    state, runs, broken = virtual_time.run(_stopped_while_forgetting(second, at))
    assert state is TaskState.DONE
    assert "'nfvi-agent': '1.0.0'" in runs
    assert broken == []


async def _given_back_between() -> tuple[TaskState, bool, list[str]]:
    async with staged() as stage:
        await stage.play(f"{FIRST}\nenable {NODE}")
        await take_off_ended(stage.sim.ctx)
        await stage.play(f"fault kind=command command=look node={NODE}\nretry agent {NODE}\nrun agent")
        task = await stage.sim.store.tasks.get("agent", NODE)
        assert task is not None
        return task.state, (await stage.sim.ctx.cloud.service(NODE)).enabled, list(await stage.invariants())


def test_a_node_that_a_person_gave_back_before_the_second_try_goes_back_to_that() -> None:
    assert virtual_time.run(_given_back_between()) == (TaskState.FAILED, True, [])


async def _refused_at_start() -> list[tuple[str, ...]]:
    async with staged() as stage:
        await stage.play(FIRST)

        async def never_begins(*_: object) -> None:
            raise PermanentError(Code.SYS_INSTALL, "nothing of the installer is on the node")

        stage.sim.ctx.systems["simulated"].start = never_begins  # type: ignore[method-assign]
        await stage.play(f"retry agent {NODE}\nrun agent")
        return [row.commands for row in await stage.sim.store.restorations.open(node=NODE)]


def test_a_second_try_whose_installer_never_began_leaves_the_warning_of_the_first() -> None:
    found = virtual_time.run(_refused_at_start())
    assert found
    assert all(commands[0].startswith("# WARNING: ") for commands in found), found
