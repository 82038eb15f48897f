"""What an earlier turn of a node left to be done before the node is in service again.

A turn may end before it comes to the steps whose undo would do that: nothing of theirs was begun in it, and all of it was in the
turn before, whose own undo failed.
"""

from __future__ import annotations

from dataclasses import replace

from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, Status
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.standing import STOPPED
from escalator.upgrade_manager.engine.steps.hooks import give_back, prepared
from escalator.upgrade_manager.engine.steps.vacate import VACATE


def made_good_first(step: Step) -> Step:
    """The step that gives the node back, with an undo that runs the hooks and starts the instances that still wait for that."""
    undo = step.undo
    if undo is None:
        return step

    async def whole(job: Job) -> Outcome:
        if await prepared(job.ctx, job.ref):
            await give_back(job)
        if VACATE.undo is not None and await job.changes(STOPPED):
            started = await VACATE.undo(job)
            if started.status is not Status.DONE:
                return started
        return await undo(job)

    return replace(step, undo=whole, timeout_s=lambda spec: spec.node.timeouts.upgrade_s + spec.node.timeouts.vacate_s)
