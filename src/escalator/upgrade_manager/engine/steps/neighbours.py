"""Telling the neighbours: part of the cordon, because a host that goes is in maintenance for all, or for none.

What they were told stands on the break-glass sheet before they are told. A neighbour that has to know and cannot be told keeps
the host from being touched; one that cannot be told that the host is back does not keep it out of service.
"""

from __future__ import annotations

from escalator.model.errors import EscalatorError
from escalator.model.progress import Event, Restoration
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job
from escalator.vim_interface.neighbours.port import Host, Neighbour

KIND = "maintenance"


async def enter_all(job: Job) -> None:
    """Tell every neighbour that the host is in maintenance. Raises what the first that has to know raises."""
    host = Host(job.node, job.ref.campaign)
    held = {row.object_id for row in await job.changes(KIND)}
    for neighbour in job.ctx.neighbours:
        if neighbour.name not in held:
            await job.will_change(KIND, neighbour.name, {}, neighbour.by_hand(host))
        try:
            await neighbour.enter(host)
        except EscalatorError as error:
            await _tell(job.ctx, host, neighbour.name, "enter", error)
            if neighbour.required:
                raise
        else:
            await _tell(job.ctx, host, neighbour.name, "enter", None)


async def leave_all(job: Job) -> None:
    """Tell those that were told that the host is back, the last one first; who cannot be told stays on the sheet."""
    for row in reversed(await job.changes(KIND)):
        if await left(job.ctx, row):
            await job.put_back(row)


async def left(ctx: Context, row: Restoration) -> bool:
    """Tell the neighbour of a row on the sheet that the host is back; whether it knows."""
    neighbour = _named(ctx, row.object_id)
    host = Host(row.node, row.campaign)
    if neighbour is None:
        return False
    try:
        await neighbour.leave(host)
    except EscalatorError as error:
        await _tell(ctx, host, neighbour.name, "leave", error)
        return False
    await _tell(ctx, host, neighbour.name, "leave", None)
    return True


def _named(ctx: Context, name: str) -> Neighbour | None:
    return next((neighbour for neighbour in ctx.neighbours if neighbour.name == name), None)


async def _tell(ctx: Context, host: Host, name: str, verb: str, error: EscalatorError | None) -> None:
    event = Event(
        at=ctx.clock.now(),
        action=f"neighbour.{verb}",
        campaign=host.campaign,
        node=host.node,
        object_id=name,
        outcome="done" if error is None else "failed",
        code=None if error is None else error.code.value,
        message="" if error is None else error.message,
    )
    await ctx.store.events.append((event,))
