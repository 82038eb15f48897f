"""What a person's word does to a campaign and its nodes, whichever way it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.progress import CampaignState, Event, NodeTask, TaskState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.board import FAILURES
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.nudge import nudge
from escalator.upgrade_manager.engine.states import GOING, UNDER_WAY
from escalator.upgrade_manager.engine.steps.notify import ANSWERS
from escalator.upgrade_manager.node_verbs import no_further_turn

_BY_HAND = "left_out/"
"""Before the ids of turns, in a campaign's memo: a person has left the node out then. Each has a key of its own, so that two
people at once do not undo one another's."""


async def leave_out(ctx: Context, seen: NodeTask, skipped: NodeTask, said: str, *, leave: bool) -> None:
    """A person leaves the node out, as `put`; that it was a person is known from then on. Raises as `put`."""
    key = f"{_BY_HAND}{seen.id}"
    # Before it is stored: the campaign may look at it at once.
    await ctx.store.tasks.remember(seen.campaign, key, value=True)
    try:
        await put(ctx, seen, skipped, "node.skip", said, leave=leave)
    except ConflictError:
        await ctx.store.tasks.remember(seen.campaign, key, value=False)
        raise


def left_out_by_hand(memo: Mapping[str, object]) -> Iterable[str]:
    """Turns after which a person has left the node out, by the campaign's memo."""
    return (key.removeprefix(_BY_HAND) for key, by_hand in memo.items() if by_hand and key.startswith(_BY_HAND))


def by_a_person(ctx: Context, what: str, reason: str = "") -> str:
    """`left out by anna: ticket 4711`, by `a person` where no name is known; without the colon where no reason was given."""
    return f"{what} by {ctx.by or 'a person'}" + (f": {reason}" if reason else "")


async def row_of(ctx: Context, name: str) -> CampaignRow:
    """The campaign. Raises NotFoundError."""
    row = await ctx.store.campaigns.get(name)
    if row is None:
        raise NotFoundError(Code.UPG_NOT_FOUND, f"There is no campaign {name!r}.", remedy="escalator campaign list")
    return row


async def accept(ctx: Context, name: str) -> None:
    """What failed so far, and hosts that are down for no reason of ours, are known to a person from now on."""
    for key, value in (await accepted(ctx, name)).items():
        await ctx.store.tasks.remember(name, key, value)


async def accepted(ctx: Context, name: str) -> Mapping[str, Sequence[str]]:
    """What is remembered when a person accepts what failed so far, and hosts that are down now."""
    tasks = await ctx.store.tasks.list(name, ladders=False)
    return known(tasks, await ctx.cloud.unavailable())


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
            await nudge(ctx, task.id, "control", {"state": row.state.value}, key=key)
            if row.state not in GOING[task.kind]:
                await nudge(ctx, task.id, ANSWERS, {"state": row.state.value}, key=f"{key}/answers")
    ctx.signals.wake(name)


async def refuse_late(ctx: Context, name: str, before: NodeTask, again: NodeTask) -> None:
    """Raise ConflictError, and put the node's turn back as it was, when the campaign has ended before it was given another."""
    row = await row_of(ctx, name)
    if row.state not in (CampaignState.COMPLETED, CampaignState.ABORTED):
        return
    with suppress(ConflictError):  # the campaign has left it itself
        await ctx.store.admission.put_instead(again, replace(before, attempt=again.attempt))
    raise no_further_turn(row)


async def put(ctx: Context, seen: NodeTask, task: NodeTask, action: str, message: str, *, leave: bool = False) -> None:
    """Store a node's turn as a person wants it who has seen it as it was, with its line in the history.

    With `leave` it gives its slot back. Raises ConflictError when it is not so any more: its turn begins, or another person was
    quicker.
    """
    event = Event(
        at=task.updated_at,
        action=action,
        campaign=task.campaign,
        node=task.node,
        object_id=task.node,
        outcome=task.state.value,
        message=message,
        by=ctx.by,
    )
    await ctx.store.admission.put_instead(seen, task, (event,), leave=leave)
    ctx.signals.wake(task.campaign)
