"""Nodes that the way back leaves with what the campaign brought to them, and what the campaign is then.

It is rolled back when every node is. Else it is what it was before where nothing was taken back, and aborted where some nodes
were: either way what is left can be rolled back again, or the campaign be committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from escalator.model.counting import counted
from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState, NodeTask, TaskKind, TaskState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.planning import back
from escalator.upgrade_manager.engine.states import UNDER_WAY
from escalator.upgrade_manager.engine.steps.between import PUT_BACK
from escalator.upgrade_manager.engine.steps.roll_back import BEGUN

CALLED_OFF = "called_off_back"
"""Memo of a campaign: in whose words its way back is called off; null when nobody asks for that."""
FROM = "from_back"
"""Memo of a campaign: the state in which its way back was asked for."""
BEGUN_IN = (*UNDER_WAY, TaskState.DONE, TaskState.FAILED)
CALLED_OFF_IN = (CampaignState.ROLLING_BACK, CampaignState.ROLLBACK_PAUSED, CampaignState.ROLLBACK_FAILED)
"""States in which a way back can be called off, as long as nothing of it has begun."""


async def begun(ctx: Context, name: str) -> list[str]:
    """Nodes whose turn back is under way or over, or that an earlier turn back left with neither software for sure."""
    turns = back(await ctx.store.tasks.list(name, ladders=False))
    return [task.node for task in turns if task.state in BEGUN_IN or await _touched(ctx, task)]


async def end_of(ctx: Context, name: str, whole: CampaignState) -> CampaignState:
    """What the campaign is when its way back is over and nodes are left; `whole` is what it would be without them."""
    memo = await ctx.store.tasks.memo(name)
    turns = back(await ctx.store.tasks.list(name, ladders=False))
    if memo.get(CALLED_OFF) is None and all(task.state is TaskState.DONE for task in turns):
        return whole
    as_it_was = memo.get(FROM) == CampaignState.COMPLETED.value and not await begun(ctx, name)
    return CampaignState.COMPLETED if as_it_was else CampaignState.ABORTED


def left_said(turns: Sequence[NodeTask], most: int) -> str:
    """Which nodes are not back, with the reason; empty when all are."""
    left = [task for task in turns if task.state is not TaskState.DONE]
    if not left:
        return ""
    named = "; ".join(f"{task.node} {task.message}" for task in left[:most])
    more = f"; and {len(left) - most} more" if len(left) > most else ""
    return f"{len(turns) - len(left)} of {counted(len(turns), 'node')} taken back, not: {named}{more}"


async def as_upgraded(ctx: Context, name: str) -> None:
    """Nodes that the way back did not touch stand there as their upgrade left them: that is what they run. Safe to repeat."""
    for task in back(await ctx.store.tasks.list(name, ladders=False)):
        upgraded = await ctx.store.tasks.last_of(name, task.node, TaskKind.UPGRADE)
        if upgraded is None or task.state in BEGUN_IN or await _touched(ctx, task):
            continue
        with suppress(ConflictError):  # it was done already
            await ctx.store.admission.put_instead(task, replace(upgraded, attempt=task.attempt + 1))


async def _touched(ctx: Context, task: NodeTask) -> bool:
    """Whether a turn back, this one or an earlier one, has begun to change the node's software."""
    upgraded = await ctx.store.tasks.last_of(task.campaign, task.node, TaskKind.UPGRADE)
    for attempt in range(1 if upgraded is None else upgraded.attempt + 1, task.attempt + 1):
        memo = await ctx.store.tasks.memo(f"{task.campaign}/{task.node}/{attempt}")
        if memo.get(BEGUN) is not None or memo.get(PUT_BACK) is not None:
            return True
    return False
