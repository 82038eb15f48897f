"""Whoever looks at a campaign sees it and its nodes as they were at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from contract.storage.samples import campaign, task
from escalator.model.progress import CampaignState, NodeTask, TaskState
from escalator.storage.memory import memory_store
from escalator.storage.memory.events import MemoryEvents
from escalator.storage.memory.tasks import MemoryTasks
from escalator.storage.port import CampaignRow, Campaigns
from escalator.upgrade_manager.moment import LOOKS, at_one_moment


class Busy(MemoryTasks):
    """Tasks of a campaign that goes on while somebody reads them, the first times."""

    def __init__(self, campaigns: Campaigns, times: int) -> None:
        super().__init__(MemoryEvents())
        self.campaigns, self.left, self.reads = campaigns, times, 0

    async def list(self, campaign: str, *, ladders: bool = True) -> Sequence[NodeTask]:
        self.reads += 1
        found = await super().list(campaign, ladders=ladders)
        if self.left:
            self.left -= 1
            await self.campaigns.change(campaign, tuple(CampaignState), reason=f"{self.left} to come")
            await self.put(task("n1", state=TaskState.DONE))
        return found


async def looked(times: int) -> tuple[CampaignRow, Sequence[NodeTask], int]:
    store = memory_store()
    await store.campaigns.add(campaign())
    tasks = Busy(store.campaigns, times)
    await tasks.put(task("n1"))
    row = await store.campaigns.get("c1")
    assert row is not None
    return *(await at_one_moment(replace(store, tasks=tasks), row)), tasks.reads


@pytest.mark.parametrize(("times", "reads"), [(0, 1), (1, 2), (2, 3)])
async def test_what_changed_while_it_was_read_is_read_once_more(times: int, reads: int) -> None:
    row, (turn,), read = await looked(times)
    assert read == reads
    assert (row.reason == "0 to come") is (times > 0)
    assert (turn.state is TaskState.DONE) is (times > 0)


async def test_a_campaign_that_never_rests_is_shown_all_the_same() -> None:
    _, _, read = await looked(100)
    assert read == LOOKS
