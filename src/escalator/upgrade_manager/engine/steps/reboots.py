"""A reboot that a node needs: done once, whatever crashes meanwhile, and seen to have brought what it was for.

The boot that is to end is written down when the reboot is found to be needed. A node that rebooted by itself before, under
its installer for one, may run what was there before.
"""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, done, failed
from escalator.upgrade_manager.engine.standing import STOPPED
from escalator.upgrade_manager.engine.steps import out_of_band, silence
from escalator.upgrade_manager.engine.steps.vacate import stop_again

FROM = "reboot_from"
"""Memo of a task: the boot that its reboot is to end, and why; written down before the node is asked to reboot."""
PENDING = "reboot_pending"
"""Memo of a task: why the node was to reboot before anything of ours was installed; empty when it was not."""


async def wanted(job: Job, key: str = FROM) -> tuple[bool, str]:
    """Whether the node has to reboot, and why. A repetition goes by what was found first."""
    known = (await job.memo()).get(key)
    return (True, str(known["why"])) if known is not None else await job.system.reboot_needed(job.node, job.release)


async def reboot(job: Job, why: str, due_before: str | None, key: str = FROM) -> Outcome | None:
    """Reboot the node and see it back; the failure when what it was for waits for a reboot all the same.

    `due_before`: what it was to reboot for before anything of ours was installed. That is not for us to judge.
    """
    known = (await job.memo()).get(key)
    if known is None:
        await stop_again(job)
        known = await job.remember(key, {"boot_id": await boot_now(job), "why": why}, once=True)
    before = str(known["boot_id"])
    await out_of_band.asked(job, before)
    await job.system.reboot(job.node, before)
    await _until_rebooted(job, before)
    if job.release.spec.reboot != "auto":
        return None  # only the node itself can say that it waits for another one
    needed, still = await job.system.reboot_needed(job.node, job.release)
    if not needed or still == due_before:
        return None
    return failed(Code.SYS_REBOOT, f"the node has rebooted and is to reboot all the same: {still}")


async def over(job: Job, message: str) -> Outcome:
    """The end of a step that rebooted: what was stopped for it is to run again, also what nobody had meant to stay."""
    stopped = len(await job.changes(STOPPED))
    return done(message, stayed=stopped) if stopped else done(message)


async def boot_now(job: Job) -> str:
    """The boot that the node answers from; the step's time-out bounds the wait for it."""
    began = job.ctx.clock.now()
    while (now := await job.system.boot_id(job.node)) is None:
        await _pause(job, began)
    return now


async def _until_rebooted(job: Job, before: str) -> None:
    """Wait, bounded by the step's time-out, until the node answers from another boot."""
    began = job.ctx.clock.now()
    while (now := await job.system.boot_id(job.node)) in (None, before):
        if now is None:
            await out_of_band.cycle_once(job)
            await silence.look(job)
        await _pause(job, began)
    await out_of_band.is_back(job)
    await silence.over(job)


async def _pause(job: Job, began: float) -> None:
    await job.ctx.clock.sleep(job.ctx.pace.next_poll_s(job.ctx.clock.now() - began))
