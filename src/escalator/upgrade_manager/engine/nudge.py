"""Waking turns that wait, so that they need not wait for their own next look."""

from __future__ import annotations

import structlog

from escalator.model.errors import TemporaryError
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.runtime import Json

_log = structlog.get_logger()


async def nudge(ctx: Context, workflow_id: str, topic: str, message: Json, *, key: str) -> None:
    """Send it what wakes it. What a person has ordered is in force already: nothing fails where the engine takes no message.

    A turn that is not reached looks by itself, at the latest when its time for answers is over.
    """
    try:
        await ctx.launcher.send(workflow_id, topic, message, key=key)
    except TemporaryError as error:
        _log.warning("task.not_woken", object_id=workflow_id, code=error.code.value, message=error.message)
