"""Announce: the VNF managers are told that the node is available, and the node's slot is free again."""

from __future__ import annotations

from escalator.model.progress import Rung, TaskState
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, done
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.steps.notify import tell_available


async def _do(job: Job) -> Outcome:
    await tell_available(job)
    await job.ctx.store.admission.leave_node(job.ref.campaign, job.node)
    return done("the node is in service")


ANNOUNCE = Step(name="announce", do=_do, rung=Rung.AVAILABLE, abortable=False, ends=TaskState.DONE)
