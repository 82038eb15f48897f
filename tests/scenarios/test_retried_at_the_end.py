"""A node that is given another try in the moment in which its campaign ends: it does not wait in a campaign that is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState, TaskState
from escalator.storage.memory.admission import MemoryAdmission
from escalator.storage.memory.campaigns import MemoryCampaigns
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

ENDING = """
world nodes=4 seed=1 fill=35
campaign agent waves.max_unavailable=1
plan agent
start agent
skip agent cn-0002
"""
Played = tuple[CampaignState, TaskState, str, CampaignState]


async def _end(stage: Stage) -> Played:
    """How the campaign ended, what became of the node, and how a way back ends then."""
    await stage.play("run agent\nwait 600")
    row = (await stage.sim.campaigns.show("agent")).row
    task = await stage.sim.store.tasks.get("agent", "cn-0002")
    assert task is not None
    await stage.sim.campaigns.back.rollback("agent")
    await stage.clock.sleep(6 * 3600)
    return row.state, task.state, task.message, (await stage.sim.campaigns.show("agent")).row.state


def test_just_before_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    change = MemoryCampaigns.change

    async def play() -> Played:
        async with staged() as stage:
            await stage.play(ENDING)
            retried: list[str] = []

            async def beside(self: MemoryCampaigns, name: str, *given: Any, **more: Any) -> Any:
                if more.get("state") is CampaignState.COMPLETED and not retried:
                    retried.append(name)
                    await stage.sim.campaigns.retry("agent", "cn-0002")
                return await change(self, name, *given, **more)

            monkeypatch.setattr(MemoryCampaigns, "change", beside)
            return await _end(stage)

    state, node, message, back = virtual_time.run(play())
    assert (state, node) == (CampaignState.COMPLETED, TaskState.SKIPPED)
    assert message == "the campaign was over when its next turn was asked for"
    assert back is CampaignState.ROLLED_BACK


def test_just_after_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    put = MemoryAdmission.put_instead
    refused: list[BaseException] = []

    async def play() -> Played:
        async with staged() as stage:
            await stage.play(ENDING)
            over: list[Callable[[], Awaitable[Any]]] = [lambda: stage.play("run agent\nwait 600")]

            async def late(self: MemoryAdmission, *given: Any, **more: Any) -> None:
                while over:
                    await over.pop()()
                await put(self, *given, **more)

            monkeypatch.setattr(MemoryAdmission, "put_instead", late)
            asked = await asyncio.gather(stage.sim.campaigns.retry("agent", "cn-0002"), return_exceptions=True)
            refused.extend(one for one in asked if isinstance(one, BaseException))
            return await _end(stage)

    state, node, message, back = virtual_time.run(play())
    assert [type(one) for one in refused] == [ConflictError]
    assert (state, node) == (CampaignState.COMPLETED, TaskState.SKIPPED)
    assert message.startswith("left out by")
    assert back is CampaignState.ROLLED_BACK
