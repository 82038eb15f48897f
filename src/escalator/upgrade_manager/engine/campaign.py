"""The life of one campaign: tell, drive node after node, tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from escalator.model.notice import NoticeType
from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.drive import drive
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.scale_in import withdraw
from escalator.upgrade_manager.engine.told import tell_windows


async def run_campaign(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the VNF managers and orchestrators, bring every node through its turn, tell them that it is over."""
    name = str(arguments["campaign"])
    await rt.step("open", partial(_open, ctx, name))
    # One step for all nodes: it keeps nothing of its own, so after a crash it takes up from what is stored.
    end = await rt.step("drive", partial(drive, ctx, name))
    await rt.step("close", partial(_close, ctx, name, CampaignState(end)))
    return {"state": end}


async def _open(ctx: Context, name: str) -> None:
    await tell_windows(ctx, name)
    await _tell(ctx, name, NoticeType.MAINTENANCE_PLANNED)


async def _close(ctx: Context, name: str, end: CampaignState) -> None:
    over = NoticeType.CAMPAIGN_ABORTED if end is CampaignState.ABORTED else NoticeType.CAMPAIGN_COMPLETED
    asked = await withdraw(ctx, name)
    await _tell(ctx, name, over, asked)


async def _tell(ctx: Context, name: str, kind: NoticeType, asked: Sequence[str] = ()) -> None:
    """Tell those concerned, and those that were asked for room: they may scale out when it is over."""
    concerned = sorted({*await _concerned(ctx, name), *asked})
    if concerned:
        await ctx.vim.tell(kind, name, vnfms=concerned, key=f"{name}/{kind.value}")


async def _concerned(ctx: Context, name: str) -> list[str]:
    """VNF managers with an instance that the campaign's plan moves or impacts."""
    row = await ctx.store.campaigns.get(name)
    if row is None or row.plan is None:
        return []
    plan, inventory = await ctx.book.plan(row.plan)
    touched = {m.instance for m in plan.moves} | {i.instance for i in plan.impacts}
    campaign = await ctx.book.campaign(name)
    if campaign.spec.workloads.scale_in == "ask":
        # Who is asked for room has heard of the campaign before.
        scope = {node.id for node in inventory.nodes if campaign.spec.scope.includes(node)}
        touched |= {i.id for i in inventory.instances if i.node in scope}
    instances = [i for i in inventory.instances if i.id in touched]
    return sorted(set((await ctx.vim.owners(instances)).values()))
