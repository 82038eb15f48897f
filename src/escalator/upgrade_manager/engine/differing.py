"""Whether nodes run different versions when a campaign is over: what is pinned for that time then stays so."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from escalator.model.counting import counted
from escalator.model.progress import NodeTask, TaskKind, TaskState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.brought import done_before
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.changed import changed_by, later
from escalator.upgrade_manager.engine.rollback.planning import back, there


async def on_the_way_there(ctx: Context, name: str, plan_id: str, tasks: Sequence[NodeTask]) -> str:
    """Why nodes may differ although every one had its turn; empty when they do not.

    Where this campaign and those before it brought no node anything, all run what they ran before.
    """
    plan, inventory = await ctx.book.plan(plan_id)
    before = done_before(inventory)
    turns = {task.node for task in tasks}
    others = {item.node for item in plan.totals.not_upgraded if item.node not in turns and item.node not in before}
    brought = before or any(task.state in (TaskState.DONE, TaskState.FAILED) for task in tasks)
    if not brought and not any(one.touched for one in (await changed_by(ctx, name)).values()):
        return ""
    return _said({task.node for task in tasks if task.state is not TaskState.DONE} | others)


async def on_the_way_back(ctx: Context, name: str, tasks: Sequence[NodeTask]) -> str:
    """The same at the end of the way back: what other campaigns brought, before it or since, is not put back by it."""
    row = await ctx.store.campaigns.get(name)
    if row is None:
        return ""
    _, inventory = await there(ctx, row)
    put_back = {task.node for task in back(tasks) if task.state is TaskState.DONE}
    left = {task.node for task in tasks if task.kind is not TaskKind.UPGRADE or task.state is TaskState.DONE}
    scope = (await ctx.book.campaign(name)).spec.scope
    others = await later(ctx, row, {node.id: node for node in inventory.nodes if scope.includes(node)})
    since = {node for other, nodes in others if _release(other) == _release(row) for node in nodes}
    return _said((left | since | done_before(inventory)) - put_back)


def _release(row: CampaignRow) -> str:
    return str(row.document.get("spec", {}).get("release") or "").partition("/")[0]


def _said(nodes: Collection[str]) -> str:
    return f"{counted(len(nodes), 'node')} may run another version than the rest" if nodes else ""
