"""A node that does not answer after its reboot: when the rest is planned without it, and since when it is silent."""

from __future__ import annotations

from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.progress import Event
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.runner import current, record
from escalator.upgrade_manager.engine.steps.out_of_band import ASKED, CYCLED

SHARE = 0.5
"""Of the time-out of a reboot: a node that is silent for longer is not counted on, however late it is to be power-cycled."""


async def look(job: Job) -> None:
    """Say once that the node is not counted on any more, when it has been silent for as long as a power cycle would wait."""
    asked = (await job.memo()).get(ASKED)
    task, now = await current(job.ctx, job.ref), job.ctx.clock.now()
    longest_s = min(job.ctx.out_of_band.after_s, job.spec.node.timeouts.reboot_s * SHARE)
    if asked is None or now - asked["at"] < longest_s or task.code == Code.UPG_LOST.value:
        return
    silent_s = now - asked["at"]
    message = f"the node has not answered for {silent_s:.0f} s since its reboot"
    if not job.ref.back:  # nothing is planned anew on the way back
        message += "; where it can be, the rest is planned without it"
    task = replace(task, code=Code.UPG_LOST.value, message=message, updated_at=now)
    await record(job.ctx, task, Event(at=now, action="node.lost", step=task.step, code=task.code, message=message))
    job.ctx.signals.wake(job.ref.campaign, job.ref.node)


async def over(job: Job) -> None:
    """Say that the node answers again, when it was given up: it is counted on from now on."""
    task, now = await current(job.ctx, job.ref), job.ctx.clock.now()
    if task.code != Code.UPG_LOST.value:
        return
    message = "the node answers again"
    back = Event(at=now, action="node.lost", step=task.step, outcome="done", message=message)
    await record(job.ctx, replace(task, code="", message=message, updated_at=now), back)
    job.ctx.signals.wake(job.ref.campaign, job.ref.node)


async def since(job: Job) -> float | None:
    """Since when a node that was given up as silent has had its time to come back, Unix seconds; None when it was not.

    A power cycle gives it that time once more.
    """
    memo, task = await job.memo(), await current(job.ctx, job.ref)
    if task.code != Code.UPG_LOST.value or ASKED not in memo:
        return None
    return max(float(memo[ASKED]["at"]), float(memo.get(CYCLED) or 0.0))
