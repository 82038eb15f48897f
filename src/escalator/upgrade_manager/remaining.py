"""How much longer a campaign takes, as people ask: on the clock, with the time between its windows."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.campaign import CampaignSpec
from escalator.model.plan import Plan
from escalator.model.progress import CampaignState, NodeTask, TaskState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.changes import FOR_SOAK, WAITS
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import FROZEN
from escalator.upgrade_manager.engine.rollback.planning import back, campaign_back
from escalator.upgrade_manager.engine.states import ENDED
from escalator.upgrade_manager.engine.tonight import FOR_WINDOW
from escalator.upgrade_manager.pace import Turn, left_s
from escalator.upgrade_manager.planner.nights import until_worked_s, worked_s

BACKWARDS = (CampaignState.ROLLING_BACK, CampaignState.RESTORING)


async def eta_s(ctx: Context, row: CampaignRow, tasks: Sequence[NodeTask]) -> float | None:
    """Seconds until the last node is through; null when nothing runs, or the windows that are left do not hold the rest.

    Null, too, while nothing begins and nobody knows for how long: it waits for a host, for room, at a gate, or is frozen.

    The plan tells how long the rest takes, at the pace that nodes had so far. Both count working time: nothing is done while
    no window is open.
    """
    if row.plan is None or _stands_still(row):
        return None
    if row.state in BACKWARDS:
        return await _back_s(ctx, row, back(tasks))
    if row.state is not CampaignState.RUNNING or row.started_at is None:
        return None
    plan, _ = await ctx.book.plan(row.plan)
    return _left_s(ctx, (await ctx.book.campaign(row.name)).spec, row.started_at, plan, tasks)


async def _back_s(ctx: Context, row: CampaignRow, tasks: Sequence[NodeTask]) -> float | None:
    """The same on the way back; nothing before it is planned. Its plan counts from when it was made, and only its turns count."""
    plan, _ = await ctx.book.plan(row.plan or "")
    made_at = next((one.created_at for one in await ctx.store.campaigns.list_plans(row.name) if one.id == row.plan), None)
    if plan.purpose == "upgrade" or made_at is None:
        return None
    mine = [task for task in tasks if task.node in plan.upgrade_of]
    return _left_s(ctx, (await campaign_back(ctx, row.name)).spec, made_at, plan, mine)


def _left_s(ctx: Context, spec: CampaignSpec, since: float, plan: Plan, tasks: Sequence[NodeTask]) -> float | None:
    now = ctx.clock.now()
    turns = [
        Turn(
            starts_s=_begins_s(plan, task.node),
            ends_s=plan.upgrade_of[task.node].end_s,
            ended_at_s=worked_s(spec, since, task.updated_at) if task.state in ENDED else None,
        )
        for task in tasks
        if task.node in plan.upgrade_of
    ]
    taken = [taken_s for task in tasks if task.state is TaskState.DONE and (taken_s := _taken_s(spec, task)) > 0]
    left = left_s(turns, taken, plan.at_s, worked_s(spec, since, now))
    return None if left is None else until_worked_s(spec, now, left)


def _begins_s(plan: Plan, node: str) -> float:
    """When its first instance leaves, or else its upgrade begins."""
    return min([plan.upgrade_of[node].start_s, *(move.start_s for move in plan.moves_from.get(node, ())[:1])])


def _taken_s(spec: CampaignSpec, task: NodeTask) -> float:
    """How long the node's turn took; 0 where it had none, as its software came by an earlier campaign."""
    began = min((rung.since for rung in task.ladder), default=task.updated_at)
    return worked_s(spec, began, task.updated_at)


def _stands_still(row: CampaignRow) -> bool:
    """Whether it waits for what has no time of its own, as its reason says; a window has one, and what soaks."""
    waits = row.reason.startswith(WAITS) and not row.reason.startswith((f"{WAITS}{FOR_WINDOW}", f"{WAITS}{FOR_SOAK}"))
    return waits or row.reason.startswith(FROZEN)
