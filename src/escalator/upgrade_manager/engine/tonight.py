"""Which nodes may begin in the maintenance window that is open, and whom to ask when it opens."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.progress import CampaignState, Event, NodeTask, TaskState
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.changes import WAITS, change, show_wait, write
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import frozen
from escalator.upgrade_manager.engine.owners import away_tonight
from escalator.upgrade_manager.engine.windows import ALWAYS, opening
from escalator.upgrade_manager.planner.nights import local_text

FOR_WINDOW = "for its window,"
WAITED = "its window is open"
"""Among what this drive has said: that the campaign does not wait for its window any more."""


def opens(ctx: Context, campaign: Campaign, board: Board) -> bool:
    """Whether a maintenance window is open that was not when this was asked last."""
    window = opening(campaign.spec, ctx.clock.now())
    if window is None or window[0] > ctx.clock.now() or board.closes == window[1]:
        return False
    if board.closes is not None:
        board.disturbed = board.disturbed or "the end of a maintenance window"
    board.closes = window[1]
    return window != ALWAYS


async def _too_short(ctx: Context, name: str, campaign: Campaign, board: Board, closes: float) -> None:
    """What is left of the window that is open holds the turn of no node that may begin: say so, and what is waited for."""
    least_s = min(board.limits.needs_s.get(task.node, 0.0) for task in board.ready())
    until = local_text(campaign.spec, closes)
    why = f"the one that is open until {until} is too short by now: the shortest turn needs {least_s / 60:.0f} min"
    following = opening(campaign.spec, closes)
    if following is None:
        await _no_window(ctx, name, board, f"{why}, and no other one comes")
    else:
        await _waits(ctx, name, campaign, board, following, f"; {why}")


async def _no_window(ctx: Context, name: str, board: Board, why: str) -> None:
    if "windows" in board.announced:
        return
    board.announced.add("windows")
    message = f"{why}; pause or abort, and plan again with other windows"
    await write(ctx, name, "campaign.waits", message, code=Code.PLN_WINDOW, node=None)
    board.announced.discard(WAITED)
    await show_wait(ctx, name, FOR_WINDOW, f"but {message}", Code.PLN_WINDOW)


async def _waits(ctx: Context, name: str, campaign: Campaign, board: Board, window: tuple[float, float], more: str = "") -> None:
    """Let people see that the campaign waits for this window: in its reason, and once in the history."""
    which = f"which opens {local_text(campaign.spec, window[0])}"
    await show_wait(ctx, name, FOR_WINDOW, which + more)
    board.announced.discard(WAITED)
    if which in board.announced:
        return
    board.announced.add(which)
    message = f"{WAITS}{FOR_WINDOW} {which}{more}"
    event = Event(at=ctx.clock.now(), action="campaign.waits", campaign=name, object_id=name, message=message)
    await ctx.store.events.append((event,))


async def owners_away(ctx: Context, name: str, campaign: Campaign, board: Board) -> bool:
    """Whether the campaign pauses because VNF managers of this window's nodes do not answer."""
    plan, _ = await ctx.book.plan(board.plan)
    inventory = await observed.inventory(ctx, campaign.spec.migration)
    waiting = {task.node for task in board.tasks.values() if task.state is TaskState.PENDING}
    why = await away_tonight(ctx, campaign, plan, inventory, waiting)
    if why:
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.PAUSED, Code.UPG_UNDELIVERABLE, why)
    return bool(why)


def fits_now(ctx: Context, campaign: Campaign, board: Board, task: NodeTask) -> bool:
    """Whether a window is open and long enough still for the node's turn."""
    now = ctx.clock.now()
    window = opening(campaign.spec, now)
    return window is not None and window[0] <= now and now + board.limits.needs_s.get(task.node, 0.0) <= window[1]


async def in_window(ctx: Context, name: str, campaign: Campaign, board: Board) -> Sequence[NodeTask]:
    """The nodes whose turn may begin now and still fits into the maintenance window; none while no window is open."""
    if await frozen(ctx, name, board):
        return ()
    ready = board.ready()
    now = ctx.clock.now()
    window = opening(campaign.spec, now)
    if window is not None and window[0] <= now:
        fitting = [task for task in ready if now + board.limits.needs_s.get(task.node, 0.0) <= window[1]]
        if ready and not fitting and not board.under_way:
            # What is left of this window is too short for every one of them.
            board.look_s = window[1] - now
            await _too_short(ctx, name, campaign, board, window[1])
        elif fitting and WAITED not in board.announced:
            board.announced.add(WAITED)
            await show_wait(ctx, name, FOR_WINDOW)
        return fitting
    if window is not None:
        board.look_s, board.asleep = window[0] - now, not board.under_way
        if ready and not board.under_way:
            await _waits(ctx, name, campaign, board, window)
    elif ready and not board.under_way:
        await _no_window(ctx, name, board, "no maintenance window is left")
    return ()
