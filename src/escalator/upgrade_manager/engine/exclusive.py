"""Holding a campaign's keys as its state asks for it, and stopping it when they are lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState, Event, NodeTask
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.changes import change
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.states import ENDED, PAUSES, UNDER_WAY
from escalator.upgrade_manager.engine.windows import opening

RETRY_S = 30.0
"""Pause between two looks whether a key is free."""
WAITS = "waits for its keys: "


async def kept(ctx: Context, name: str, campaign: Campaign, board: Board, state: CampaignState | None) -> bool:
    """Whether the campaign may go on as far as its keys are concerned; they are taken, or given back, as it needs."""
    keys = campaign.spec.exclusive
    if not keys:
        return True
    window = opening(campaign.spec, ctx.clock.now())
    may_begin = state is CampaignState.RUNNING and not board.ended and window is not None and window[0] <= ctx.clock.now()
    if not (board.under_way or may_begin):
        await give_back(ctx, name)
        return True
    if ctx.leases.valid(name):
        _look_in_time(ctx, board)
        return True
    lost = ctx.leases.lost(name)
    why = lost or await ctx.leases.hold(name, keys)
    if why is None:
        await _taken(ctx, name, keys)
        _look_in_time(ctx, board)
        return True
    if state is not CampaignState.RUNNING:
        ctx.leases.forget(name)
        return True
    board.look_s = RETRY_S
    await _without(ctx, name, state, why, at_work=lost is not None or board.under_way)
    return False


async def kept_back(ctx: Context, name: str, campaign: Campaign, state: CampaignState, tasks: Sequence[NodeTask]) -> bool:
    """The same on the way back, whose turns are `tasks`; those of the way there have ended.

    A restore takes its keys where it can, and does not wait for them: it is the last resort.
    """
    keys = campaign.spec.exclusive
    if not keys or (tasks and all(task.state in ENDED for task in tasks)):
        return True
    under_way = any(task.state in UNDER_WAY for task in tasks)
    window = opening(campaign.spec, ctx.clock.now())
    may_begin = state in (CampaignState.ROLLING_BACK, CampaignState.RESTORING) and window is not None
    if not under_way and not (may_begin and window is not None and window[0] <= ctx.clock.now()):
        await give_back(ctx, name)
        return True
    if ctx.leases.valid(name):
        return True
    lost = ctx.leases.lost(name)
    why = lost or await ctx.leases.hold(name, keys)
    if why is None:
        await _taken(ctx, name, keys)
        return True
    if state is CampaignState.ROLLING_BACK:
        await _without(ctx, name, state, why, at_work=lost is not None or under_way)
        return False
    ctx.leases.forget(name)
    return True


async def _without(ctx: Context, name: str, state: CampaignState, why: str, *, at_work: bool) -> None:
    """A campaign that is at work without its keys pauses; one that has not begun waits for them."""
    if at_work:
        keys = (await ctx.book.campaign(name)).spec.exclusive
        ctx.leases.forget(name)
        await _tell(ctx, name, "failed", why)
        reason = f"its keys {', '.join(keys)} are not held any more: {why}; resume takes them again"
        await change(ctx, name, (state,), PAUSES[state], Code.UPG_LOCK, reason)
        return
    row = await ctx.store.campaigns.get(name)
    if row is not None and not row.reason.startswith(WAITS):
        await _tell(ctx, name, "held", why)
        await ctx.store.campaigns.change(name, (state,), code="", reason=f"{WAITS}{why}")


def _look_in_time(ctx: Context, board: Board) -> None:
    """A lease that lapses is seen soon, not at the next sweep."""
    board.lease_look_s = ctx.pace.recheck_s / 2


async def _taken(ctx: Context, name: str, keys: tuple[str, ...]) -> None:
    await _tell(ctx, name, "done", f"held: {', '.join(keys)}")
    row = await ctx.store.campaigns.get(name)
    if row is not None and row.reason.startswith(WAITS):
        await ctx.store.campaigns.change(name, (row.state,), code="", reason="")


async def give_back(ctx: Context, name: str) -> None:
    """Give the campaign's keys back, where it has any."""
    if await ctx.leases.let_go(name):
        await _tell(ctx, name, "done", "given back")


async def require(ctx: Context, name: str) -> None:
    """Take the keys of a campaign that is to go on. Raises ConflictError when they are somebody else's, or cannot be told."""
    keys = (await ctx.book.campaign(name)).spec.exclusive
    if not keys or ctx.leases.valid(name):
        return
    why = await ctx.leases.hold(name, keys)
    if why is not None:
        raise ConflictError(Code.UPG_LOCK, f"The keys of campaign {name} cannot be held: {why}.", remedy="Try again later.")
    await _taken(ctx, name, keys)


async def _tell(ctx: Context, name: str, outcome: str, message: str) -> None:
    code = Code.UPG_LOCK.value if outcome == "failed" else None
    event = Event(at=ctx.clock.now(), action="campaign.keys", campaign=name, object_id=name, outcome=outcome)
    await ctx.store.events.append((replace(event, message=message, code=code),))
