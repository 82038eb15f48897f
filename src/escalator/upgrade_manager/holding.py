"""Holding nodes, and letting them go: what people do to single nodes whatever campaign runs, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.hold import Hold
from escalator.model.progress import CampaignState, Event, NodeTask, TaskState
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.changes import go_on
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.nudge import nudge
from escalator.upgrade_manager.engine.states import ACTIVE, UNDER_WAY

SHOWN = 10
ONWARD = {
    CampaignState.SUSPENDED: CampaignState.RUNNING,
    CampaignState.ROLLBACK_PAUSED: CampaignState.ROLLING_BACK,
}
"""Where a campaign goes on to that waits for a held node, once that is let go."""


async def hold(ctx: Context, node: str, reason: str = "") -> Hold:
    """Let no campaign begin the node, and its turn, where it has one, not go beyond the step under way.

    A node that is held already stays held since then, and for the same reason where no other one is given. Raises
    NotFoundError when the cloud has no such node.
    """
    campaign = await _active(ctx)
    if campaign is None or await ctx.store.tasks.get(campaign, node) is None:
        # Not asked of a cloud that may be in trouble when the campaign knows the node: a brake has to work then, too.
        inventory = await observed.inventory(ctx, Migration())
        if node not in inventory.node_by_id:
            raise NotFoundError(Code.CLD_NOT_FOUND, f"The cloud has no node {node!r}.", remedy="escalator node list")
    before = next((held for held in await ctx.store.holds.list() if held.node == node), None)
    since = ctx.clock.now() if before is None else before.since
    made = Hold(node=node, reason=reason or (before.reason if before is not None else ""), since=since)
    await ctx.store.holds.put(made)
    await _tell(ctx, campaign, node, "node.hold", made.reason)
    if campaign is not None:
        ctx.signals.wake(campaign)
    return made


async def unhold(ctx: Context, node: str) -> None:
    """Let the node go: it has its turn as any other, or goes on with it. Raises ConflictError when it is not held."""
    if not await ctx.store.holds.remove(node):
        raise ConflictError(Code.UPG_NOT_HELD, f"Node {node} is not held.", remedy="escalator node list")
    campaign = await _active(ctx)
    await _tell(ctx, campaign, node, "node.unhold", "")
    if campaign is None:
        return
    row = await ctx.store.campaigns.get(campaign)
    onward = ONWARD.get(row.state) if row is not None and row.code == Code.UPG_HELD.value else None
    if row is not None and onward is not None:
        await go_on(ctx, campaign, row.state, onward)
    task = await ctx.store.tasks.get(campaign, node)
    if task is not None and task.state in UNDER_WAY:
        await nudge(ctx, task.id, "control", {"unheld": True}, key=f"{task.id}/unhold/{ctx.clock.now()}")
    ctx.signals.wake(campaign)


def as_shown(task: NodeTask, holds: Mapping[str, Hold]) -> NodeTask:
    """The task as people see it: one that waits for its turn says that it is held."""
    found = holds.get(task.node)
    if found is None or task.state is not TaskState.PENDING:
        return task
    return replace(task, code=Code.UPG_HELD.value, message=found.said)


def unhold_verbs(state: CampaignState, held: Sequence[str]) -> list[str]:
    """What lets a campaign go on with nodes that are held."""
    return [f"escalator node unhold {' '.join(held[:SHOWN])}"] if held and state in ACTIVE else []


async def _active(ctx: Context) -> str | None:
    return next((row.name for row in await ctx.store.campaigns.list() if row.state in ACTIVE), None)


async def _tell(ctx: Context, campaign: str | None, node: str, action: str, message: str) -> None:
    event = Event(
        at=ctx.clock.now(), action=action, campaign=campaign, node=node, object_id=node, outcome="done", message=message
    )
    await ctx.store.events.append((replace(event, by=ctx.by),))
