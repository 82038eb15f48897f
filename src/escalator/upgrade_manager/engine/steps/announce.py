"""Announce: the VNF managers are told that the node is available, once it is, and the node's slot is free again."""

from __future__ import annotations

from escalator.model.progress import Rung, TaskState
from escalator.upgrade_manager.engine.in_service import tell_if_back
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, done
from escalator.upgrade_manager.engine.runner import Step


async def _do(job: Job) -> Outcome:
    why = await tell_if_back(job)
    await job.ctx.store.admission.leave_node(job.ref.campaign, job.node)
    if why:
        return done(f"the node is not in service: {why}; its VNF managers are told when it is", unreached=True)
    return done("the node is in service")


ANNOUNCE = Step(name="announce", do=_do, rung=Rung.AVAILABLE, abortable=False, ends=TaskState.DONE)
