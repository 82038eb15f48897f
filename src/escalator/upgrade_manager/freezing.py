"""Freezing everything, and letting it go on: the use cases."""

from __future__ import annotations

from dataclasses import replace

from escalator.model.progress import Event
from escalator.storage.holder import holder
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import Freeze, current_freeze, keep_freeze
from escalator.upgrade_manager.engine.states import ACTIVE, UNDER_WAY
from escalator.upgrade_manager.engine.steps.notify import ANSWERS


async def begin_freeze(ctx: Context, reason: str = "") -> Freeze:
    """Let nothing begin from now on. One that holds already keeps its beginning, and its reason unless another is given."""
    before = await current_freeze(ctx)
    made = Freeze(ctx.clock.now(), reason) if before is None else Freeze(before.since, reason or before.reason)
    await keep_freeze(ctx, made)
    await _tell(ctx, "freeze.begin", made.reason)
    for row in await ctx.store.campaigns.list():
        if row.state in ACTIVE:
            await _wake(ctx, row.name, made)
    return made


async def end_freeze(ctx: Context) -> bool:
    """Let campaigns go on; False when nothing was frozen."""
    if await current_freeze(ctx) is None:
        return False
    await keep_freeze(ctx, None)
    await _tell(ctx, "freeze.end", "")
    for row in await ctx.store.campaigns.list():
        if row.state in ACTIVE:
            ctx.signals.wake(row.name)
    return True


async def _wake(ctx: Context, name: str, made: Freeze) -> None:
    """Nodes that only wait look again at once, also those that wait for answers."""
    for task in await ctx.store.tasks.list(name, ladders=False):
        if task.state in UNDER_WAY:
            for topic in ("control", ANSWERS):
                await ctx.launcher.send(task.id, topic, {"frozen": True}, key=f"{task.id}/freeze/{made.since}/{topic}")
    ctx.signals.wake(name)
    ctx.signals.wake_doors(name)


async def _tell(ctx: Context, action: str, message: str) -> None:
    campaign = await holder(ctx.store.campaigns)
    event = Event(at=ctx.clock.now(), action=action, campaign=campaign, object_id="freeze", outcome="done", message=message)
    await ctx.store.events.append((replace(event, by=ctx.by),))
