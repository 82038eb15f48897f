"""Turns that are given back: their maintenance window is over, or too short for what is left of them, or people froze everything.

The node has only waited, and nothing of it is touched by then. It is put back, its VNF managers are told that nothing happens,
and it waits for another turn in the next window.
"""

from __future__ import annotations

from math import ceil, isfinite

from escalator.model.codes import Code
from escalator.model.progress import NodeTask, Rung, TaskState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import current_freeze
from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.outcome import Outcome, Status
from escalator.upgrade_manager.engine.windows import opening, rest_s

WAITING = frozenset({"preflight", "ask-cluster", "cordon", "notify", "consult", "vacate"})
"""Steps before which a turn can be given back."""
UNTOUCHED = frozenset({"hand-over", "evacuate", "back-up", "flag-storage", "pre-maintenance", "upgrade"})
"""Steps before which it can, too, when the node was held there: a person's hold or a pause may outlast any window. From the
first change of the node's software on, its turn is finished."""
_NEEDS = "needs_s"
"""Memo of a turn: seconds that its rest needs of its window, before the node is emptied and once it is."""
_VACATES = "vacates"
"""Memo of a turn: it may empty the node."""
CODES = frozenset({Code.UPG_OVERDUE, Code.UPG_FROZEN})


async def overdue(ctx: Context, ref: TaskRef, step: str, task: NodeTask | None = None) -> Outcome | None:
    """That the turn is to be given back before this step, with why; None when it may go on. `task` is as it stands."""
    if ref.back or step not in WAITING | UNTOUCHED:
        return None
    found = await current_freeze(ctx)
    if found is not None:
        return _later(Code.UPG_FROZEN, found.said)
    if not (step in WAITING or _waited(step, task)):
        return None
    left, needs = await left_s(ctx, ref), await _needs_s(ctx, ref) if step in WAITING else 0.0
    if left <= 0.0:
        return _later(Code.UPG_OVERDUE, "its maintenance window is over, and nothing was touched yet")
    if left < needs:
        why = f"of its maintenance window {left // 60:.0f} min are left, and the rest of its turn needs {ceil(needs / 60)} min"
        return _later(Code.UPG_OVERDUE, f"{why} with its rollback; nothing was touched yet")
    if step == "vacate" and not (await ctx.store.tasks.memo(ref.id)).get(_VACATES):
        # What has left the node by the next look is not counted once more.
        await ctx.store.tasks.remember(ref.id, _VACATES, value=True)
    return None


def _waited(step: str, task: NodeTask | None) -> bool:
    if task is None or step not in UNTOUCHED:
        return False
    # What stays in service all the time (a release that touches nothing) goes from its staging to its backup.
    staged = step == "back-up" and all(condition.rung is not Rung.CORDONED for condition in task.ladder)
    return staged or task.state is TaskState.HELD


async def frozen_back(ctx: Context, ref: TaskRef, step: str) -> str:
    """Why a turn of the way back waits before this step: it is not given back, and goes on when a freeze ends."""
    found = await current_freeze(ctx) if ref.back and step in WAITING else None
    return "" if found is None else found.said


async def left_s(ctx: Context, ref: TaskRef) -> float:
    """Seconds until the maintenance window closes that is open now; 0.0 when none is."""
    now = ctx.clock.now()
    window = opening((await ctx.book.campaign(ref.campaign)).spec, now)
    return window[1] - now if window is not None and window[0] <= now else 0.0


async def spare_s(ctx: Context, ref: TaskRef) -> float:
    """Seconds that the turn can wait for answers: what is left of the window, less what comes afterwards."""
    left = await left_s(ctx, ref)
    return left - await _needs_s(ctx, ref) if isfinite(left) else left


async def _needs_s(ctx: Context, ref: TaskRef) -> float:
    """Seconds that the rest of the turn needs as it is planned: by the plan that it began by, whatever is planned anew since."""
    memo = await ctx.store.tasks.memo(ref.id)
    known = memo.get(_NEEDS)
    if known is None:
        known = await ctx.store.tasks.remember(ref.id, _NEEDS, await _planned_s(ctx, ref), once=True)
    return float(known[1 if memo.get(_VACATES) else 0])


async def _planned_s(ctx: Context, ref: TaskRef) -> tuple[float, float]:
    spec = (await ctx.book.campaign(ref.campaign)).spec
    row = await ctx.store.campaigns.get(ref.campaign)
    if row is None or row.plan is None or not (spec.windows or spec.not_after is not None):
        return 0.0, 0.0
    plan, _ = await ctx.book.plan(row.plan)
    return rest_s(plan, spec, ref.node)


def _later(code: Code, message: str) -> Outcome:
    return Outcome(status=Status.LATER, code=code.value, message=message)
