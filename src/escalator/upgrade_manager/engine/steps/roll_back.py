"""Roll back: a node's software is put back to what was kept before its upgrade, and proved. There is no undo of that.

As for the upgrade, nothing is touched under an instance that may not be impacted. A node on which nothing was changed, and
that is only held out of service, is given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.progress import Rung, TaskKind
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.kinds import computes
from escalator.upgrade_manager.engine.operations import GOOD
from escalator.upgrade_manager.engine.outcome import Outcome, done, failed
from escalator.upgrade_manager.engine.rollback.changed import Changed, before, changed_node
from escalator.upgrade_manager.engine.rollback.compared import expected, note_found
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.steps import between, reboots
from escalator.upgrade_manager.engine.steps.as_before import not_as_before
from escalator.upgrade_manager.engine.steps.cordon import given_back
from escalator.upgrade_manager.engine.steps.services import AGENTS
from escalator.upgrade_manager.engine.steps.upgrade import (
    bring_back,
    carries,
    first_bad,
    may_reboot,
    missing_after,
    until_reachable,
    until_reported,
)
from escalator.upgrade_manager.engine.way_back import why_not

BEGUN, BOOT, REPORTED = "back_operation", "back_boot", "back_reported"
"""Memos of a turn: the operation that puts the software back, the boot it began in, the service's last report then."""


async def _changed(job: Job) -> Changed:
    found = await changed_node(job.ctx, job.ref.campaign, job.node)
    if found is None:
        raise PermanentError(Code.UPG_NOT_FOUND, f"Campaign {job.ref.campaign} has no node {job.node!r}.")
    return found


def _backup(job: Job, changed: Changed) -> Mapping[str, Any] | None:
    """What to go back to: a restore takes the oldest there is. A driver that keeps nothing has a tool that knows."""
    if "backup" not in job.system.capabilities(job.release):
        return {}
    return changed.oldest if job.ref.kind is TaskKind.RESTORE else changed.backup


async def _roll_back(job: Job) -> Outcome:
    changed = await _changed(job)
    if not changed.touched:
        return done("the software was not touched")
    backup = _backup(job, changed)
    if backup is None or "rollback" not in job.system.capabilities(job.release):
        return failed(Code.SYS_ROLLBACK, f"driver {job.system.name} cannot put the old software back")
    refused = why_not(job.release, await before(job.ctx, changed), backup.get("scope") if backup else None)
    if refused is not None:
        return failed(Code.SYS_NO_WAY_BACK, f"the node may not be taken back: {refused}")
    if (await job.memo()).get(BEGUN) is None:
        stopped = await given_back(job) or await carries(job)
        if stopped is not None:
            return stopped
    await until_reachable(job)
    if (await job.memo()).get(BEGUN) is None:
        await note_found(job, changed.first)
    await job.remember(BOOT, await reboots.boot_now(job), once=True)
    await job.remember(BEGUN, job.operation(job.ref.kind.value))
    await between.mark(job)
    progress = await bring_back(job, backup, job.ref.kind.value, forced=job.ref.kind is TaskKind.RESTORE)
    if progress.state not in GOOD:
        last = " / ".join(progress.lines)
        return failed(Code.SYS_ROLLBACK, f"the {job.ref.kind.value} ended {progress.state.value}: {last}")
    return done("the software is back as it was kept")


async def _reboot(job: Job) -> Outcome:
    """What was put back may come into force only at the next boot, as what was installed did."""
    memo = await job.memo()
    if "reboot" not in job.system.capabilities(job.release) or memo.get(BEGUN) is None:
        return done("no reboot needed")
    needed, why = await reboots.wanted(job)
    if not needed and await reboots.boot_now(job) == memo[BOOT]:
        return done(f"no reboot needed: {why}")
    if needed and not await may_reboot(job):
        # Whether the old software runs all the same is proved next; what does not run holds the node for a person.
        return done(f"not rebooted, instances run here and {job.release.id} announces no reboot: {why}")
    due_before = (await before(job.ctx, await _changed(job))).get(reboots.PENDING)
    if needed and (bad := await reboots.reboot(job, why, due_before)) is not None:
        return bad
    if computes(job):
        await job.remember(REPORTED, (await job.ctx.cloud.service(job.node)).reported, once=True)
    return await reboots.over(job, f"rebooted: {why}" if needed else f"it has rebooted since its software was put back: {why}")


async def _verify(job: Job) -> Outcome:
    changed = await _changed(job)
    if between.PUT_BACK not in await job.memo() and (bad := await _unproved(job, changed)) is not None:
        return bad
    await between.put_back(job, changed.touched)
    return done("the node runs what it ran before")


async def _unproved(job: Job, changed: Changed) -> Outcome | None:
    """The failure; None when the node runs what it ran before."""
    backup = _backup(job, changed)
    if backup is not None:
        checks = await job.system.verify_rollback(job.node, job.release, backup)
        bad = first_bad(checks)
        if bad is not None:
            return failed(Code.SYS_ROLLBACK, bad.message)
        other = await not_as_before(job, checks, await job.ctx.store.tasks.memo(changed.first)) if changed.touched else ""
        if other:
            return failed(Code.SYS_ROLLBACK, other)
    await until_reported(job, (await job.memo()).get(REPORTED))
    return await _missing(job, changed)


async def _missing(job: Job, changed: Changed) -> Outcome | None:
    """The failure when something of before the upgrade is not there again. Services of a node nobody touched are not asked."""
    known = dict(await job.ctx.store.tasks.memo(changed.first))
    if not {"facts", "offered"} <= known.keys():
        return None
    wanted = dict(expected(known))
    if not changed.touched:
        wanted.pop(AGENTS, None)
    return await missing_after(job, wanted)


ROLL_BACK = Step(
    name="roll-back",
    do=_roll_back,
    timeout_s=lambda spec: spec.node.timeouts.upgrade_s,
    abortable=False,
    begun=BEGUN,
)
REBOOT_BACK = Step(name="reboot-back", do=_reboot, timeout_s=lambda spec: spec.node.timeouts.reboot_s, abortable=False)
VERIFY_BACK = Step(
    name="verify-back",
    do=_verify,
    rung=Rung.ROLLED_BACK,
    timeout_s=lambda spec: spec.node.timeouts.verify_s,
    abortable=False,
)
