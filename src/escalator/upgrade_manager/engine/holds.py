"""Nodes that people hold, as the drive of a campaign sees them: they are not begun, and nobody waits for them in silence."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.hold import HELD
from escalator.model.progress import CampaignState, NodeTask, TaskKind, TaskState
from escalator.upgrade_manager.engine import stages
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.changes import change
from escalator.upgrade_manager.engine.context import Context

SHOWN = 10


async def look(ctx: Context, board: Board) -> None:
    """Read which nodes are held; what changed is a reason to plan the rest anew."""
    held = {hold.node: hold.said for hold in await ctx.store.holds.list() if hold.node in board.tasks}
    before, board.held = board.held, held
    waiting = [task for task in board.open if task.state is TaskState.PENDING]
    for task in waiting:
        without_turn = task.code == Code.UPG_NO_TURN.value
        if task.node in held and not without_turn and task.node not in (before or ()):
            board.disturbed = board.disturbed or f"{task.node} held"
        if without_turn and task.node not in held and task.message.startswith(HELD):
            board.disturbed = board.disturbed or f"{task.node} no longer held"


def begun(board: Board, ready: Sequence[NodeTask]) -> Sequence[NodeTask]:
    """Those of the nodes that nobody holds."""
    return [task for task in ready if task.node not in (board.held or {})]


async def only_held(ctx: Context, name: str, board: Board) -> bool:
    """Whether the campaign is suspended because nothing can go on but what a person holds."""
    reason = left_to_people(board)
    if reason is None:
        return False
    await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_HELD, reason)
    return True


def left_to_people(board: Board) -> str | None:
    """In words, that nothing can go on but what a person holds; None when something can."""
    held = board.held or {}
    stopped = [task for task in board.open if task.node in held]
    if not stopped or any(_moves(task, held) for task in board.open):
        return None
    standing, clusters = stages.Standing(board), board.limits.clusters
    # Of a cluster one node goes at a time: behind one that is held in its turn nobody else of it goes.
    kept = {cluster for task in stopped if task.state is TaskState.HELD for cluster in clusters.get(task.node, ())}
    free = [task for task in board.ready() if task.node not in held and not kept.intersection(clusters.get(task.node, ()))]
    if not all(standing.behind(task) for task in free):
        return None
    return _said(stopped, held, len(board.open) - len(stopped))


async def all_held(ctx: Context, under_way: Sequence[NodeTask], waiting: int) -> str | None:
    """In words, that people hold every node under way, for which `waiting` others wait; None when one of them goes on."""
    held = {hold.node: hold.said for hold in await ctx.store.holds.list()}
    return None if any(_moves(task, held) for task in under_way) else _said(under_way, held, waiting)


def _said(stopped: Sequence[NodeTask], held: dict[str, str], waiting: int) -> str:
    names = "; ".join(f"{task.node} {held[task.node]}" for task in stopped[:SHOWN])
    what = f"{counted(waiting, 'node waits', 'nodes wait')} behind held ones" if waiting else "only held nodes are left"
    these = " ".join(task.node for task in stopped[:SHOWN])
    verbs = f"go on with escalator node unhold {these}"
    if all((task.state, task.kind) == (TaskState.PENDING, TaskKind.UPGRADE) for task in stopped):
        verbs += f", or without them: escalator node skip {stopped[0].campaign} {these}"
    return f"{what}: {names}; {verbs}"


def _moves(task: NodeTask, held: dict[str, str]) -> bool:
    """Whether the node's turn goes on by itself."""
    return task.state is TaskState.RUNNING or (task.state is TaskState.HELD and task.node not in held)
