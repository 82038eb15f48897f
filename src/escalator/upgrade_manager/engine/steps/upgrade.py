"""Back up, upgrade, reboot, verify: the node's software is replaced and proved. The undo puts the old one back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import inf
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.progress import Rung
from escalator.model.release import spares_instances
from escalator.system_support.port import Check, OperationState, Progress
from escalator.upgrade_manager.engine import no_return
from escalator.upgrade_manager.engine.in_service import REPORT_S
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.kinds import computes, node_now
from escalator.upgrade_manager.engine.named import perform
from escalator.upgrade_manager.engine.operations import GOOD, TRIES, again, follow, tried
from escalator.upgrade_manager.engine.outcome import Outcome, done, failed, skip
from escalator.upgrade_manager.engine.output import Output
from escalator.upgrade_manager.engine.rollback.changed import OPERATION, Changed, before, changed_node
from escalator.upgrade_manager.engine.rollback.compared import PROVED
from escalator.upgrade_manager.engine.rollback.guests import instances_here
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.steps import between, out_of_band, reboots, silence
from escalator.upgrade_manager.engine.steps.as_before import not_as_before
from escalator.upgrade_manager.engine.steps.cordon import given_back
from escalator.upgrade_manager.engine.steps.keep import keep
from escalator.upgrade_manager.engine.steps.services import AGENTS, note_agents, services_gone
from escalator.upgrade_manager.engine.steps.vacate import staying
from escalator.upgrade_manager.engine.way_back import why_not

TRIES_THERE = tuple(f"upgrade-{number}" for number in range(1, TRIES + 1))
REBOOT_BACK_FROM = "rollback_reboot_from"
"""Memo of a task: as `reboots.FROM`, for the reboot after its software was put back."""
REPORTED = "reported"
"""Memo of a task: the compute service's last report when the node was seen to be back from its reboot."""


async def _back_up(job: Job) -> Outcome:
    facts = await job.system.inspect(job.node, job.release)
    await job.remember("facts", facts.to_json(), once=True)
    node = await node_now(job)
    await job.remember("offered", node.model_dump(mode="json"), once=True)
    await note_agents(job)
    asks = job.release.spec.reboot == "auto" or not await may_reboot(job)
    if "reboot" in job.system.capabilities(job.release) and asks:
        needed, why = await job.system.reboot_needed(job.node, job.release)
        await job.remember(reboots.PENDING, why if needed else "", once=True)
    if "backup" not in job.system.capabilities(job.release):
        return done(f"driver {job.system.name} keeps no backup")
    changed = await changed_node(job.ctx, job.ref.campaign, job.node)
    if changed is not None and changed.touched and changed.backup is not None:
        # A tool that keeps one backup of a node would lose it for what a turn that was not undone has left there.
        return done("what ran before an earlier try, which is not undone, is kept already")
    return done(await keep(job, node, facts))


async def _upgrade(job: Job) -> Outcome:
    if (await job.memo()).get(OPERATION) is None:
        changed = await given_back(job) or await carries(job)
        if changed is not None:
            return changed
    progress = await tried(job.ctx.clock, [job.operation(one) for one in TRIES_THERE], partial(_install, job))
    if progress.state in GOOD:
        return done("not needed" if progress.state is OperationState.NOT_NEEDED else f"{job.release.id} is installed")
    last = " / ".join(progress.lines)
    return failed(Code.SYS_INSTALL, f"the installer ended {progress.state.value} (exit code {progress.exit_code}): {last}")


async def carries(job: Job) -> Outcome | None:
    """The last look before the software changes: no instance runs here but those that may stay as they are."""
    if spares_instances(job.release.spec.impact):
        return None
    may_run = await staying(job)
    for instance in await instances_here(job):
        if instance.running and instance.id not in may_run:
            return skip(Code.UPG_INSTANCE_LEFT, f"instance {instance.id} runs on the node since it was vacated")
    return None


async def _install(job: Job, operation: str) -> Progress:
    await _start(job, operation)
    return await follow_operation(job, operation)


async def _start(job: Job, operation: str) -> None:
    """Start the operation. It is written down before: a start whose answer is lost may have begun."""
    known = (await job.memo()).get(OPERATION)
    await job.remember(OPERATION, operation)
    await between.mark(job)
    try:
        await job.system.start(job.node, job.release, operation)
    except PermanentError:
        if known is None:  # the very first one: nothing was begun
            await job.remember(OPERATION, None)
            if not await between.left_earlier(job.ctx, job.ref):
                await between.proved(job)
        elif await _has_begun(job, operation):
            return
        raise


async def _has_begun(job: Job, operation: str) -> bool:
    """Whether an earlier try of it has reached the node, which refuses another one now: it is followed all the same."""
    return (await job.system.poll(job.node, operation)).state is not OperationState.UNKNOWN


async def follow_operation(job: Job, operation: str) -> Progress:
    """See an operation on the node to its end."""
    return await follow(job.system, job.node, operation, job.ctx.clock, job.ctx.pace, Output(job, operation).take)


async def _pause(job: Job, began: float) -> None:
    await job.ctx.clock.sleep(job.ctx.pace.next_poll_s(job.ctx.clock.now() - began))


async def _reboot(job: Job) -> Outcome:
    if "reboot" not in job.system.capabilities(job.release):
        return done(f"driver {job.system.name} reboots by itself or not at all")
    needed, why = await reboots.wanted(job)
    memo = await job.memo()
    if not needed and await reboots.boot_now(job) == memo["facts"]["boot_id"]:
        return done(f"no reboot needed: {why}")
    if needed and not await may_reboot(job):
        return await _unasked(job, why)
    if needed and (bad := await reboots.reboot(job, why, memo.get(reboots.PENDING))) is not None:
        return bad
    if computes(job):
        await job.remember(REPORTED, (await job.ctx.cloud.service(job.node)).reported, once=True)
    return await reboots.over(job, f"rebooted: {why}" if needed else f"it has rebooted since it was backed up: {why}")


async def may_reboot(job: Job) -> bool:
    """Whether nobody is hurt by a reboot: the release says that there may be one, or the node was emptied."""
    if job.release.spec.impact == "dataplane":
        return not await staying(job)
    return job.release.spec.impact == "reboot"


async def _unasked(job: Job, why: str) -> Outcome:
    """No reboot under instances that run, when the release announces none; one that was due before is not its fault."""
    before = (await job.memo()).get(reboots.PENDING)
    if before:
        return done(f"not rebooted, instances run here; due since before the upgrade: {before}")
    impact = job.release.spec.impact
    message = f"the node asks for a reboot, which a release of impact {impact} does not announce, and instances run on it: {why}"
    return failed(Code.SYS_REBOOT_REFUSED, message)


async def _verify(job: Job) -> Outcome:
    memo = await job.memo()
    checks = await job.system.verify(job.node, job.release, memo.get(OPERATION))
    bad = first_bad(checks)
    if bad is not None:
        return bad
    await until_reported(job, memo.get(REPORTED))
    known = await _before(job)
    gone = await services_gone(job, known)
    if gone:
        return failed(Code.UPG_SERVICE_GONE, "what ran before the upgrade does not now: " + "; ".join(gone))
    less = await offers_less(job, known)
    if less:
        return failed(Code.UPG_LESS_OFFERED, "the node offers less than before: " + "; ".join(less))
    for test in job.spec.node.tests:
        await perform(job, "test", test)
    await job.remember(PROVED, value=True)
    await between.proved(job)
    return done(", ".join(f"{name} ok" for name in (*(check.name for check in checks), *job.spec.node.tests)))


async def _before(job: Job) -> Mapping[str, Any]:
    """The memo that knows what the node was like before its software was touched, by this turn or by one not put back."""
    changed = await changed_node(job.ctx, job.ref.campaign, job.node)
    return await (job.memo() if changed is None else before(job.ctx, changed))


async def until_reported(job: Job, before: str | None) -> None:
    """Wait, bounded by the step's time-out, for the compute service, where the node has one.

    For some time after a reboot the cloud still believes what the service said before it: only a new report counts.
    """
    while computes(job):
        service = await job.ctx.cloud.service(job.node)
        if service.up and (before is None or service.reported != before):
            return
        await job.ctx.clock.sleep(job.ctx.pace.poll_s)


def first_bad(checks: tuple[Check, ...]) -> Outcome | None:
    """The failure that the checks amount to; None when all are well."""
    bad = [check for check in checks if not check.ok]
    if not bad:
        return None
    return failed(bad[0].code or Code.SYS_HEALTH, "; ".join(f"{check.name}: {check.message}" for check in bad))


async def offers_less(job: Job, memo: Mapping[str, Any]) -> list[str]:
    """What the node offers less of than before its upgrade, by the node's own word and by the cloud's."""
    facts = await job.system.inspect(job.node, job.release)
    found = _fewer(memo["facts"]["offers"], facts.offers)
    before = memo["offered"]
    now = (await node_now(job)).model_dump(mode="json")
    for number, (old, new) in enumerate(zip(before["numa"], now["numa"], strict=False)):
        found += [f"NUMA entry {number}: {line}" for line in _fewer(old, new)]
    if len(now["numa"]) < len(before["numa"]):
        found.append(f"{len(now['numa'])} NUMA entries of {len(before['numa'])}")
    for what in ("traits", "physnets", "aggregates"):
        lost = sorted(set(before[what]) - set(now[what]))
        found += [f"{what} {', '.join(lost)}"] if lost else []
    return found


def _fewer(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    return [f"{name} {now.get(name, 0):g} of {amount:g}" for name, amount in sorted(before.items()) if now.get(name, 0) < amount]


async def _roll_back(job: Job) -> Outcome:
    """Put the old software back: state first, then pins; reboot when needed; prove it.

    It is what ran before the first turn that touched it and was not put back: another try may have begun on what such a
    turn left.
    """
    changed = await changed_node(job.ctx, job.ref.campaign, job.node)
    memo = await job.memo()
    if changed is None or (memo.get(OPERATION) is None and between.PUT_BACK not in memo):
        # Instances may run on it, started by whoever gave it back: what an earlier turn left is not put back under them.
        return between.refused() if changed is not None and changed.touched else done("the software was not touched")
    if between.PUT_BACK not in memo and (bad := await _undone(job, changed)) is not None:
        return bad
    await between.put_back(job, changed.touched)
    return done("the node runs what it ran before")


async def _undone(job: Job, changed: Changed) -> Outcome | None:
    """The failure; None when the node runs again what it ran before the first of these turns."""
    backup = changed.backup
    if "backup" not in job.system.capabilities(job.release):
        backup = {}  # such a driver's own tool knows what was there before
    known = await before(job.ctx, changed)
    refused = why_not(job.release, known, backup.get("scope") if backup is not None else ())
    if refused is not None:
        return failed(Code.SYS_NO_WAY_BACK, f"the node may not be taken back: {refused}")
    if backup is None or "rollback" not in job.system.capabilities(job.release):
        return failed(Code.SYS_ROLLBACK, f"driver {job.system.name} cannot put the old software back")
    return await _put_back(job, backup, known)


async def _put_back(job: Job, backup: Mapping[str, Any], known: Mapping[str, Any]) -> Outcome | None:
    """The failure; None when the node runs what it ran before."""
    longest_s = job.spec.node.timeouts.reboot_s
    # Of what it was given to come back from its reboot, nothing is given again.
    began = await silence.since(job) or job.ctx.clock.now()
    if not await _answers(job, began, longest_s):
        # It may be dead: the sooner a person knows, the better. `node retry` begins here again.
        silent_s = job.ctx.clock.now() - began
        return failed(Code.SYS_UNREACHABLE, f"the node has not answered for {silent_s:.0f} s, in which a reboot should be over")
    progress = await bring_back(job, backup, "rollback")
    if progress.state not in GOOD:
        last = " / ".join(progress.lines)
        return failed(Code.SYS_ROLLBACK, f"the rollback ended {progress.state.value}: {last}")
    still = await _reboot_after_rollback(job, known.get(reboots.PENDING))
    if still is not None:
        return failed(Code.SYS_ROLLBACK, still.message)
    checks = await job.system.verify_rollback(job.node, job.release, backup)
    bad = first_bad(checks)
    wrong = bad.message if bad is not None else await not_as_before(job, checks, known)
    if wrong:
        return failed(Code.SYS_ROLLBACK, wrong)
    # What others disabled meanwhile is not for the way back to enable: they have left their reason.
    return await missing_after(job, known, disabled=False)


async def bring_back(job: Job, backup: Mapping[str, Any], purpose: str, *, forced: bool = False) -> Progress:
    """Put the node's software back on what the backup holds, and see that to its end."""

    async def perform(operation: str) -> Progress:
        await job.system.rollback(job.node, job.release, backup, operation, forced=forced)
        return await follow_operation(job, operation)

    return await tried(job.ctx.clock, [job.operation(one) for one in again(purpose)], perform)


async def missing_after(job: Job, known: Mapping[str, Any], *, disabled: bool = True) -> Outcome | None:
    """The failure when, after the way back, something is not there that a turn's memo knows of; None when all of it is."""
    if not {"facts", "offered"} <= known.keys():
        return None
    gone = await services_gone(job, known, disabled=disabled) if AGENTS in known else []
    if gone:
        return failed(Code.UPG_SERVICE_GONE, "what ran before the upgrade does not after the way back: " + "; ".join(gone))
    latest = job.ctx.clock.now() + REPORT_S
    while (less := await offers_less(job, known)) and job.ctx.clock.now() < latest:
        # The cloud may still show what the node offered before it went back: its next report tells.
        await job.ctx.clock.sleep(job.ctx.pace.poll_s)
    return failed(Code.UPG_LESS_OFFERED, "the node offers less than before its upgrade: " + "; ".join(less)) if less else None


async def until_reachable(job: Job) -> None:
    """A node that died under its installer may be on its way back; the step's time-out bounds the wait."""
    await _answers(job, job.ctx.clock.now(), inf)


async def _answers(job: Job, began: float, longest_s: float) -> bool:
    """Whether the node answers before so much time is over since it began."""
    while await job.system.boot_id(job.node) is None:
        if job.ctx.clock.now() - began >= longest_s:
            return False
        await _pause(job, began)
    await out_of_band.is_back(job)
    await silence.over(job)
    return True


async def _reboot_after_rollback(job: Job, due_before: str | None) -> Outcome | None:
    """What was put back may come into force only at the next boot, as what was installed did; the failure when it does not."""
    if "reboot" not in job.system.capabilities(job.release):
        return None
    needed, why = await reboots.wanted(job, REBOOT_BACK_FROM)
    return await reboots.reboot(job, why, due_before, REBOOT_BACK_FROM) if needed and await may_reboot(job) else None


BACK_UP = Step(
    name="back-up",
    do=_back_up,
    rung=Rung.BACKED_UP,
    timeout_s=lambda spec: spec.node.timeouts.upgrade_s,  # gigabytes of state take their time
)
UPGRADE = Step(
    name="upgrade",
    do=_upgrade,
    undo=_roll_back,
    rung=Rung.UPGRADED,
    timeout_s=lambda spec: spec.node.timeouts.upgrade_s,
    # It waits until the installer is ended, puts back, reboots and proves.
    undo_timeout_s=lambda spec: sum((spec.node.timeouts.upgrade_s, spec.node.timeouts.reboot_s, spec.node.timeouts.verify_s)),
    gate=no_return.before("upgrade"),
    begun=OPERATION,
)
REBOOT = Step(
    name="reboot",
    do=_reboot,
    rung=Rung.REBOOTED,
    timeout_s=lambda spec: spec.node.timeouts.reboot_s,
    abortable=False,
    gate=no_return.before("reboot"),
)
VERIFY = Step(name="verify", do=_verify, rung=Rung.VERIFIED, timeout_s=lambda spec: spec.node.timeouts.verify_s, abortable=False)
