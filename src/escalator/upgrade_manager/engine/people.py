"""What a person's word does to a campaign and its nodes, whichever way it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.model.progress import Event, NodeTask, TaskState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.board import FAILURES
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.states import GOING, UNDER_WAY
from escalator.upgrade_manager.engine.steps.notify import ANSWERS


def by_a_person(what: str, reason: str) -> str:
    """`left out by a person: ticket 4711`; without the colon where no reason was given."""
    return f"{what} by a person" + (f": {reason}" if reason else "")


async def row_of(ctx: Context, name: str) -> CampaignRow:
    """The campaign. Raises NotFoundError."""
    row = await ctx.store.campaigns.get(name)
    if row is None:
        raise NotFoundError(Code.UPG_NOT_FOUND, f"There is no campaign {name!r}.", remedy="escalator campaign list")
    return row


async def accept(ctx: Context, name: str) -> None:
    """What failed so far, and hosts that are down for no reason of ours, are known to a person from now on."""
    tasks = await ctx.store.tasks.list(name, ladders=False)
    for key, value in known(tasks, await ctx.cloud.unavailable()).items():
        await ctx.store.tasks.remember(name, key, value)


def known(tasks: Iterable[NodeTask], down: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """What is remembered of that."""
    ended = (*FAILURES, TaskState.SKIPPED)
    return {"accepted": sorted(t.id for t in tasks if t.state in ended), "known_down": sorted(down)}


async def wake_held(ctx: Context, name: str) -> None:
    """Nodes that wait at a gate look again at once; when they are on their way out, they wait for no answer either."""
    row = await row_of(ctx, name)
    for task in await ctx.store.tasks.list(name, ladders=False):
        if task.state in UNDER_WAY:
            key = f"{task.id}/control/{row.revision}"
            await ctx.launcher.send(task.id, "control", {"state": row.state.value}, key=key)
            if row.state not in GOING[task.kind]:
                await ctx.launcher.send(task.id, ANSWERS, {"state": row.state.value}, key=f"{key}/answers")
    ctx.signals.wake(name)


async def put(ctx: Context, task: NodeTask, action: str, message: str) -> None:
    """Store a node's turn as a person wants it, with its line in the history."""
    event = Event(
        at=task.updated_at,
        action=action,
        campaign=task.campaign,
        node=task.node,
        object_id=task.node,
        outcome=task.state.value,
        message=message,
    )
    await ctx.store.tasks.put(task, (event,))
    ctx.signals.wake(task.campaign)
