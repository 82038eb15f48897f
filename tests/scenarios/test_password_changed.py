"""The password of our user is changed while nodes are under way, and written into clouds.yaml a while later."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

UNDER_WAY = "world nodes=6 seed=1\ncampaign agent\nplan agent\nstart agent\nuntil agent {moment}"
MEANWHILE_S = 600.0


def refused_for(stage: Stage, seconds: float) -> None:
    """The cloud lets nobody in for that time from now on."""
    ctx = stage.sim.ctx
    until = ctx.clock.now() + seconds

    def guarded(verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: object, **named: object) -> object:
            if ctx.clock.now() < until:
                raise TemporaryError(Code.CLD_CREDENTIALS, "The cloud refused our credentials.")
            return await verb(*arguments, **named)

        return call

    for name, verb in inspect.getmembers(ctx.cloud, inspect.iscoroutinefunction):
        setattr(ctx.cloud, name, guarded(verb))


async def _completed(moment: str) -> tuple[CampaignState, Sequence[str], Sequence[str], float]:
    async with staged() as stage:
        await stage.play(UNDER_WAY.format(moment=moment))
        began = stage.sim.ctx.clock.now()
        refused_for(stage, MEANWHILE_S)
        await stage.play("run agent")
        view = await stage.sim.campaigns.show("agent")
        failed = [task.node for task in await stage.sim.store.tasks.list("agent") if task.code]
        return view.row.state, failed, list(await stage.invariants()), stage.sim.ctx.clock.now() - began


@pytest.mark.parametrize("moment", ["node.cordon", "node.notify", "node.vacate", "node.upgrade", "node.verify"])
def test_no_node_fails_for_it_and_the_work_goes_on_when_it_is_known(moment: str) -> None:
    state, failed, broken, took_s = virtual_time.run(_completed(moment))
    assert state is CampaignState.COMPLETED
    assert failed == []
    assert broken == []
    assert took_s > MEANWHILE_S


async def _after_a_node_was_lost() -> tuple[float, str]:
    async with staged() as stage:
        await stage.play(LOST)
        await stage.clock.sleep(860.0)
        refused_for(stage, MEANWHILE_S)
        began = stage.clock.now()
        await stage.play("run agent")
        task = await stage.sim.store.tasks.get("agent", "cn-0001")
        assert task is not None
        return task.updated_at - began, task.message


LOST = """
world nodes=6 seed=1 fill=45
campaign agent waves.max_unavailable=1
fault kind=reboot node=cn-0001 effect=lost
plan agent
start agent
until agent node.lost cn-0001
"""


def test_a_node_that_is_lost_stays_lost_while_the_cloud_lets_nobody_in() -> None:
    took_s, message = virtual_time.run(_after_a_node_was_lost())
    assert "1 instance cannot be started, the node does not answer" in message
    assert took_s < MEANWHILE_S + 300.0
