"""Telling the neighbours: part of the cordon, because a host that goes is in maintenance for all, or for none.

What they were told stands on the break-glass sheet before they are told. A neighbour that has to know and cannot be told keeps
the host from being touched; one that cannot be told that the host is back does not keep it out of service.
"""

from __future__ import annotations

from itertools import count

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.progress import Event, Restoration
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job
from escalator.vim_interface.neighbours.port import Host, Neighbour

KIND = "maintenance"
THEIRS = "It has this host in maintenance already, not by Escalator: that stays as it is, also when the host is back."
TRIES = 4
"""Of telling that a host is back, while it is only not possible now."""


async def enter_all(job: Job) -> None:
    """Tell every neighbour that the host is in maintenance. Raises what the first that has to know raises."""
    host = Host(job.node, job.ref.campaign)
    held = {row.object_id for row in await job.changes(KIND)}
    for neighbour in job.ctx.neighbours:
        try:
            if neighbour.name not in held:
                if await neighbour.in_maintenance(host):
                    await _tell(job.ctx, host, neighbour.name, "enter", None, THEIRS)
                    continue
                await job.will_change(KIND, neighbour.name, {}, neighbour.by_hand(host))
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


async def left(ctx: Context, row: Restoration, tries: int = TRIES) -> bool:
    """Tell the neighbour of a row on the sheet that the host is back; whether nothing more can be done about it.

    That is so, too, when it stands in the settings no more: nobody is left to be told.
    """
    host = Host(row.node, row.campaign)
    neighbour = next((one for one in ctx.neighbours if one.name == row.object_id), None)
    if neighbour is None:
        gone = PermanentError(Code.VIM_NEIGHBOUR, f"Neighbour {row.object_id} is not in the settings any more.")
        await _tell(ctx, host, row.object_id, "leave", gone)
        return True
    error = await _leave(ctx, neighbour, host, tries)
    await _tell(ctx, host, neighbour.name, "leave", error)
    return error is None


async def _leave(ctx: Context, neighbour: Neighbour, host: Host, tries: int) -> EscalatorError | None:
    """Why it could not be told, after all tries."""
    for number in count(1):
        try:
            await neighbour.leave(host)
        except TemporaryError as error:
            if number == tries:
                return error
            await ctx.clock.sleep(ctx.pace.poll_s * number)
        except EscalatorError as error:
            return error
        else:
            return None
    raise AssertionError  # it counts for ever


async def _tell(ctx: Context, host: Host, name: str, verb: str, error: EscalatorError | None, said: str = "") -> None:
    event = Event(
        at=ctx.clock.now(),
        action=f"neighbour.{verb}",
        campaign=host.campaign,
        node=host.node,
        object_id=name,
        outcome="done" if error is None else "failed",
        code=None if error is None else error.code.value,
        message=said if error is None else error.message,
    )
    await ctx.store.events.append((event,))
