"""The way back of one campaign: plan, tell, drive node after node, tell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from escalator.model.notice import NoticeType
from escalator.upgrade_manager.engine.concerned import tell_concerned
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.drive import drive_back
from escalator.upgrade_manager.engine.runtime import Runtime


async def begin_back(ctx: Context, name: str) -> None:
    """Start the workflow of the way back; nothing happens when it was started before."""
    await ctx.launcher.start("rollback", f"rollback/{name}", {"campaign": name})


async def run_rollback(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Bring every node that was changed back, and tell the VNF managers that it is over. They are asked node by node."""
    name = str(arguments["campaign"])
    # One step for all nodes, as on the way there: it keeps nothing of its own.
    end = await rt.step("drive-back", partial(drive_back, ctx, name))
    await rt.step("close-back", partial(tell_concerned, ctx, name, NoticeType.CAMPAIGN_COMPLETED, "/back"))
    return {"state": end}
