"""How much longer a campaign takes, as people ask: on the clock, with the time between its windows."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.progress import CampaignState, NodeTask
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.changes import WAITS
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import FROZEN
from escalator.upgrade_manager.engine.states import ENDED
from escalator.upgrade_manager.engine.tonight import FOR_WINDOW
from escalator.upgrade_manager.planner.nights import until_worked_s, worked_s


async def eta_s(ctx: Context, row: CampaignRow, tasks: Sequence[NodeTask]) -> float | None:
    """Seconds until the last node is through; null when nothing runs, or the windows that are left do not hold the rest.

    Null, too, while nothing begins and nobody knows for how long: it waits for a host, for room, at a gate, or is frozen.

    Before the first node is through, the plan tells how long the rest takes, and then the pace so far. Both count working
    time: nothing is done while no window is open.
    """
    left = sum(task.state not in ENDED for task in tasks)
    over = len(tasks) - left
    if row.state is not CampaignState.RUNNING or row.started_at is None or not left or _stands_still(row):
        return None
    spec = (await ctx.book.campaign(row.name)).spec
    now = ctx.clock.now()
    worked = worked_s(spec, row.started_at, now)
    if over and worked > 0:
        return until_worked_s(spec, now, worked / over * left)
    plan, _ = await ctx.book.plan(row.plan or "")
    return until_worked_s(spec, now, max(0.0, plan.totals.makespan_s - worked))


def _stands_still(row: CampaignRow) -> bool:
    """Whether it waits for what has no time of its own, as its reason says; a window has one."""
    waits = row.reason.startswith(WAITS) and not row.reason.startswith(f"{WAITS}{FOR_WINDOW}")
    return waits or row.reason.startswith(FROZEN)
