"""The way back of one campaign: plan, tell, drive node after node, tell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from escalator.model.notice import NoticeType
from escalator.upgrade_manager.engine.concerned import tell_concerned
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.drive import drive_back
from escalator.upgrade_manager.engine.rollback.numbers import number_of
from escalator.upgrade_manager.engine.runtime import Runtime


async def begin_back(ctx: Context, name: str) -> None:
    """Start the workflow of the way back; nothing happens when it was started before. A further way back has one of its own."""
    number = await number_of(ctx, name)
    course = f"rollback/{name}" if number == 0 else f"rollback/{name}#{number}"
    await ctx.launcher.start("rollback", course, {"campaign": name, "number": number})


async def run_rollback(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Bring every node that was changed back, and tell the VNF managers that it is over. They are asked node by node."""
    name, number = str(arguments["campaign"]), int(arguments.get("number", 0))
    # One step for all nodes, as on the way there: it keeps nothing of its own.
    end = await rt.step("drive-back", partial(drive_back, ctx, name, number))
    about = f"/back/{number}" if number else "/back"
    await rt.step("close-back", partial(tell_concerned, ctx, name, NoticeType.CAMPAIGN_COMPLETED, about))
    return {"state": end}
