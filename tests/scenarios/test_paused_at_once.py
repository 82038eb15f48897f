"""Nodes whose VNF managers refuse at the same moment: one of them pauses the campaign, and none of their turns fails."""

from __future__ import annotations

import asyncio

import pytest

from escalator.model.progress import CampaignState
from escalator.storage.memory.campaigns import MemoryCampaigns
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

REFUSED = """
world nodes=12 seed=1
campaign agent waves.max_unavailable=4 workloads.notify.on_reject=pause failure.max_failed=9
vnfm vnfm-core refuse 10
vnfm vnfm-voice refuse 10
vnfm vnfm-user-plane refuse 10
plan agent
start agent
run agent
wait 600
"""


def test_the_second_to_pause_finds_it_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    state = MemoryCampaigns.state

    async def beside(self: MemoryCampaigns, name: str) -> CampaignState | None:
        found = await state(self, name)
        await asyncio.sleep(0)  # as a database that answers in a thread: others run meanwhile
        return found

    async def play() -> list[str]:
        monkeypatch.setattr(MemoryCampaigns, "state", beside)
        async with staged() as stage:
            await stage.play(REFUSED)
            return stage.lines

    lines = virtual_time.run(play())
    assert len([line for line in lines if "campaign.pause" in line]) == 1
    assert len([line for line in lines if "node.held" in line]) > 1
    assert [line for line in lines if "ESC-UPG-002" in line] == []
