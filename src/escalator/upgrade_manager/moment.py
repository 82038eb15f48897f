"""A campaign and its nodes as they were at one moment: read one after the other, their numbers could contradict."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.progress import NodeTask
from escalator.storage.port import CampaignRow, Store

LOOKS = 5
"""Looks at a campaign that changes all the time, before the last one has to do."""


async def at_one_moment(store: Store, row: CampaignRow) -> tuple[CampaignRow, Sequence[NodeTask]]:
    """The campaign with the latest attempt of each node. What was read of it before may be older.

    Every change of a campaign has a revision of its own: where that is the same before and after the nodes were read, the
    campaign was so when they were.
    """
    tasks: Sequence[NodeTask] = ()
    for _ in range(LOOKS):
        tasks = await store.tasks.list(row.name)
        after = await store.campaigns.get(row.name)
        if after is None or (after.revision, after.created_at) == (row.revision, row.created_at):
            return row, tasks
        row = after
    return row, tasks
