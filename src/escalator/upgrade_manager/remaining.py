"""How much longer a campaign takes, as people ask: on the clock, with the time between its windows."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.progress import CampaignState, NodeTask
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.states import ENDED
from escalator.upgrade_manager.planner.nights import until_worked_s, worked_s


async def eta_s(ctx: Context, row: CampaignRow, tasks: Sequence[NodeTask]) -> float | None:
    """Seconds until the last node is through; null when nothing runs, or the windows that are left do not hold the rest.

    Before the first node is through, the plan tells how long the rest takes, and then the pace so far. Both count working
    time: nothing is done while no window is open.
    """
    left = sum(task.state not in ENDED for task in tasks)
    over = len(tasks) - left
    if row.state is not CampaignState.RUNNING or row.started_at is None or not left:
        return None
    spec = (await ctx.book.campaign(row.name)).spec
    now = ctx.clock.now()
    worked = worked_s(spec, row.started_at, now)
    if over and worked > 0:
        return until_worked_s(spec, now, worked / over * left)
    plan, _ = await ctx.book.plan(row.plan or "")
    return until_worked_s(spec, now, max(0.0, plan.totals.makespan_s - worked))
