"""The life of one campaign: tell, drive node after node, tell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from escalator.model.notice import NoticeType
from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.concerned import tell_concerned, tell_planned
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.drive import drive
from escalator.upgrade_manager.engine.rollback.campaign import begin_back
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.scale_in import withdraw
from escalator.upgrade_manager.engine.told import tell_windows
from escalator.upgrade_manager.engine.windows import opening
from escalator.vim_interface.fenix.hints import BEGINS_AT

OVER = (CampaignState.COMPLETED, CampaignState.ABORTED)
"""Ends of the way there. Any other state means that the way back has begun."""


async def run_campaign(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the VNF managers and orchestrators, bring every node through its turn, tell them that it is over."""
    name = str(arguments["campaign"])
    await rt.step("open", partial(_open, ctx, name))
    # One step for all nodes: it keeps nothing of its own, so after a crash it takes up from what is stored.
    end = await rt.step("drive", partial(drive, ctx, name))
    if CampaignState(end) not in OVER:
        await rt.step("hand-over", partial(begin_back, ctx, name))
        return {"state": end}
    await rt.step("close", partial(_close, ctx, name, CampaignState(end)))
    return {"state": end}


async def _open(ctx: Context, name: str) -> None:
    window = opening((await ctx.book.campaign(name)).spec, ctx.clock.now())
    if window is not None:
        await ctx.store.tasks.remember(name, BEGINS_AT, max(window[0], ctx.clock.now()), once=True)
    await tell_windows(ctx, name)
    await tell_planned(ctx, name)


async def _close(ctx: Context, name: str, end: CampaignState) -> None:
    over = NoticeType.CAMPAIGN_ABORTED if end is CampaignState.ABORTED else NoticeType.CAMPAIGN_COMPLETED
    asked = await withdraw(ctx, name)
    await tell_concerned(ctx, name, over, asked=asked)
