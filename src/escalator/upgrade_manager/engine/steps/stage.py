"""Stage: the release is stored as it was taken in; its files are on the node and checked; its software has not changed."""

from __future__ import annotations

from escalator.model.progress import Rung
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.kinds import roles_of
from escalator.upgrade_manager.engine.outcome import Outcome, done
from escalator.upgrade_manager.engine.procedure import leaves_out
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.staging import Staged, note
from escalator.upgrade_manager.engine.steps.members import steps_for
from escalator.upgrade_manager.engine.steps.probe_vm import wanted


async def _do(job: Job) -> Outcome:
    await job.ctx.vetting.intact(job.release.id)
    await job.system.stage(job.node, job.release)
    await note(job.ctx, job.ref.campaign, Staged(node=job.node, release=job.release.id, at=job.ctx.clock.now()))
    roles = roles_of(job)
    without = leaves_out(job.release.spec.impact, job.spec.node.hooks, roles, look=job.ctx.out_of_band.check is not None)
    member = {"member_of": sorted(steps_for(roles) - without)} if steps_for(roles) - without else {}
    brought = "stage" in job.system.capabilities(job.release)
    said = f"{job.release.id} is on the node" if brought else f"driver {job.system.name} brings nothing to the node ahead"
    probes = await wanted(job)
    if probes:
        await job.ctx.cloud.probe_vms.size()  # what cannot be proved is not begun
    return done(said, leaves_out=sorted(without), probes=int(probes), **member)


STAGE = Step(name="stage", do=_do, rung=Rung.STAGED, timeout_s=lambda spec: spec.node.timeouts.upgrade_s)
