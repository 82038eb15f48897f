"""Freezing everything, and letting it go on: the use cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog

from escalator.model.errors import TemporaryError
from escalator.model.progress import Event
from escalator.storage.holder import holder
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import Freeze, current_freeze, keep_freeze
from escalator.upgrade_manager.engine.nudge import nudge
from escalator.upgrade_manager.engine.states import ACTIVE, UNDER_WAY
from escalator.upgrade_manager.engine.steps.notify import ANSWERS

_log = structlog.get_logger()


async def begin_freeze(ctx: Context, reason: str = "") -> Freeze:
    """Let nothing begin from now on. One that holds already keeps its beginning, and its reason unless another is given.

    Raises TemporaryError when it could not be stored: nothing has changed then. What is in force does not fail any more.
    """
    before = await current_freeze(ctx)
    made = Freeze(ctx.clock.now(), reason) if before is None else Freeze(before.since, reason or before.reason)
    await _keep(ctx, made, "Nothing is frozen by this" if before is None else "All stays frozen, for the reason given before")
    with _in_force("freeze.begin"):
        await _tell(ctx, "freeze.begin", made.reason)
    with _in_force("freeze.begin"):
        for row in await ctx.store.campaigns.list():
            if row.state in ACTIVE:
                await _wake(ctx, row.name, made)
    return made


async def end_freeze(ctx: Context) -> bool:
    """Let campaigns go on; False when nothing was frozen. Raises TemporaryError when all stays frozen."""
    if await current_freeze(ctx) is None:
        return False
    await _keep(ctx, None, "All stays frozen")
    with _in_force("freeze.end"):
        await _tell(ctx, "freeze.end", "")
    with _in_force("freeze.end"):
        for row in await ctx.store.campaigns.list():
            if row.state in ACTIVE:
                ctx.signals.wake(row.name)
    return True


async def _keep(ctx: Context, freeze: Freeze | None, otherwise: str) -> None:
    """Store it. Raises TemporaryError, which says what holds `otherwise`, when it is not in force."""
    try:
        await keep_freeze(ctx, freeze)
    except TemporaryError as error:
        # Of a commit that failed nobody knows what stands before it is read.
        if await current_freeze(ctx) != freeze:
            remedy = error.remedy or "See df -h of the state directory; escalator freeze show says what holds"
            raise TemporaryError(error.code, f"{otherwise}: {error.message}", remedy=remedy) from error


@contextmanager
def _in_force(action: str) -> Iterator[None]:
    """What comes after an order is in force may fail: whoever gave it has to hear that it holds."""
    try:
        yield
    except TemporaryError as error:
        _log.warning("freeze.untold", action=action, code=error.code.value, message=error.message)


async def _wake(ctx: Context, name: str, made: Freeze) -> None:
    """Nodes that only wait look again at once, also those that wait for answers."""
    for task in await ctx.store.tasks.list(name, ladders=False):
        if task.state in UNDER_WAY:
            for topic in ("control", ANSWERS):
                await nudge(ctx, task.id, topic, {"frozen": True}, key=f"{task.id}/freeze/{made.since}/{topic}")
    ctx.signals.wake(name)
    ctx.signals.wake_doors(name)


async def _tell(ctx: Context, action: str, message: str) -> None:
    campaign = await holder(ctx.store.campaigns)
    event = Event(at=ctx.clock.now(), action=action, campaign=campaign, object_id="freeze", outcome="done", message=message)
    await ctx.store.events.append((replace(event, by=ctx.by),))
