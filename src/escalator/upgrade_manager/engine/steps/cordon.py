"""Cordon: nothing new is scheduled to the node. Its undo, and the end of the node's turn: the service as it was found."""

from __future__ import annotations

from escalator.cloud_manager.port import ServiceState
from escalator.model.codes import Code
from escalator.model.progress import Rung, TaskKind
from escalator.upgrade_manager.engine.in_service import OUT_SINCE, attempt_of, tell_if_back, why_down
from escalator.upgrade_manager.engine.job import Job, TaskRef
from escalator.upgrade_manager.engine.kinds import computes
from escalator.upgrade_manager.engine.outcome import Outcome, done, skip
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.steps.at_work import at_work
from escalator.upgrade_manager.engine.steps.neighbours import enter_all, leave_all
from escalator.upgrade_manager.engine.told import tell_returned, tell_taken
from escalator.upgrade_manager.planner.scope import OURS

KIND = "cordon"


def reason_of(ref: TaskRef) -> str:
    """The reason that people see on the disabled service."""
    return f"{OURS}{ref.campaign}: {ref.kind.value}"


async def _do(job: Job) -> Outcome:
    if not computes(job):
        await enter_all(job)
        return done("no instance lands on such a node")
    found = await job.ctx.cloud.service(job.node)
    held = await job.changes(KIND)
    ours = found.reason is not None and found.reason.startswith(OURS)
    if not found.up and job.ref.kind is not TaskKind.RESTORE:
        return skip(Code.PLN_NODE_STATE, "the node's compute service is down")
    if not found.enabled and not (ours and held):
        why = found.reason or "no reason given"
        return skip(Code.CLD_FOREIGN_CORDON, f"the node is disabled by someone else: {why}")
    if not held:
        # As the plan saw the node: consult looks at what is there then. A node that only waits need not be out of service.
        waits = await at_work(job, job.inventory.instances_by_node.get(job.node, ()))
        if waits is not None:
            return waits
        # What an earlier attempt found is what is restored; a node that it held is disabled by nobody but us.
        held = [await job.will_change(KIND, job.node, found.to_json())]
    since = min(attempt_of(row) for row in held)
    if since != job.ref.attempt:
        await job.remember(OUT_SINCE, since)
    # A node that an earlier turn left out of service keeps the reason that stands there.
    await job.ctx.cloud.cordon(job.node, str(found.reason) if ours and not found.enabled else reason_of(job.ref))
    if not await job.changes(KIND):
        # In this moment it was taken off as put back by a person: it is not any more.
        held = [await job.will_change(KIND, job.node, held[0].found)]
    await tell_taken(job, held)
    await enter_all(job)
    return done("no new instance lands on the node")


async def restore(job: Job) -> Outcome:
    """Put the service back to what was found before the cordon, and tell orchestrators and neighbours."""
    outcome = await _enable(job)
    await _take_off(job, outcome.data.get("not_back") or await _why_down(job))
    await leave_all(job)
    return outcome


async def _undo(job: Job) -> Outcome:
    """The same, and VNF managers that were asked about the node hear that it is back, if it is."""
    held = await job.changes(KIND)
    outcome = await _enable(job)
    await leave_all(job)
    # A node that is down has its time to report once: orchestrators are told what VNF managers are.
    why = await tell_if_back(job)
    await _take_off(job, outcome.data.get("not_back") or why)
    # A node that was never taken out of service was left as it was found: why its turn ended says so already.
    if not why or not held or "not_back" in outcome.data:
        return outcome
    return done(f"{outcome.message}; the node is not in service: {why}", not_back=why)


async def _enable(job: Job) -> Outcome:
    """Put the service back; its rows stay on the sheet until everybody is told."""
    for row in await job.changes(KIND):
        found = ServiceState(**row.found)  # type: ignore[arg-type]  # written by to_json
        now = await job.ctx.cloud.service(job.node)
        if not now.enabled and not (now.reason or "").startswith(OURS):
            # Somebody disabled it for a reason of their own in the meantime: it is theirs now.
            why = f"left disabled by someone else: {now.reason or 'no reason given'}"
            return done(why, not_back=why)
        await job.ctx.cloud.restore_service(job.node, found)
    return done("the compute service is as it was" if computes(job) else "it is in service as before")


async def _why_down(job: Job) -> str:
    """Why the node does not serve, for orchestrators; without any of them nobody waits for it to report."""
    if not await job.changes(KIND) or not await job.ctx.vim.orchestrators.names():
        return ""
    return await why_down(job)


async def _take_off(job: Job, out: str) -> None:
    """Tell orchestrators that the node is given back (`out`: why it does not serve yet), and take its rows from the sheet."""
    for row in await job.changes(KIND):
        await tell_returned(job, row, out)
        await job.put_back(row)


async def given_back(job: Job) -> Outcome | None:
    """Leave the node alone when a person put it back in service in its turn, as the break-glass sheet says how to."""
    if await job.changes(KIND) and (await job.ctx.cloud.service(job.node)).enabled:
        return skip(Code.UPG_GIVEN_BACK, "the node was put back in service by hand in the middle of its turn")
    return None


CORDON = Step(name="cordon", do=_do, undo=_undo, rung=Rung.CORDONED)
UNCORDON = Step(name="uncordon", do=restore, abortable=False)
