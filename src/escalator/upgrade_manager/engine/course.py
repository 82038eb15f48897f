"""Going through the steps of a node's turn, there or back, until the first that does not end well."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.outcome import Outcome, Status
from escalator.upgrade_manager.engine.overdue import spare_s
from escalator.upgrade_manager.engine.runner import Step, perform
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.steps.consult import CONSULT
from escalator.upgrade_manager.engine.steps.members import STEPS as MEMBERS
from escalator.upgrade_manager.engine.steps.notify import ANSWERS, NOTIFY
from escalator.upgrade_manager.engine.steps.probe_vm import PROBE
from escalator.upgrade_manager.engine.steps.vacate import RESUME


async def walk(
    rt: Runtime, ctx: Context, ref: TaskRef, course: Sequence[Step], without: Collection[str]
) -> tuple[list[Step], Outcome | None]:
    """Perform the steps in order: which were begun, and what stopped the turn; None when all are done.

    Steps in `without` are left out, until one of them says otherwise (`leaves_out`); so are those about answers and about
    instances that stay, where there are none, and the probe VM, where none is to be.
    """
    begun: list[Step] = []
    asked = stayed = probes = 0
    for step in course:
        idle = (step is CONSULT and not asked) or (step is RESUME and not stayed) or (step is PROBE and not probes)
        if step.name in without or idle:
            continue
        begun.append(step)
        outcome = await perform(rt, ctx, ref, step)
        if outcome.status is not Status.DONE:
            return begun, outcome
        if "leaves_out" in outcome.data:
            # A course that began before there were kinds of nodes goes on without what these ask for.
            without = {*outcome.data["leaves_out"], *(MEMBERS - {*outcome.data.get("member_of", ())})}
        asked = outcome.data.get("asked", asked)
        stayed = outcome.data.get("stayed", stayed)
        probes = outcome.data.get("probes", probes)
        if step is NOTIFY and asked:
            # Woken when the last answer is in or the deadline has passed; the time-out is a net under a lost wake-up.
            await rt.receive(ANSWERS, min(await _patience_s(ctx, ref), max(0.0, await spare_s(ctx, ref)) + ctx.pace.poll_s))
    return begun, None


async def _patience_s(ctx: Context, ref: TaskRef) -> float:
    campaign = await ctx.book.campaign(ref.campaign)
    return campaign.spec.workloads.notify.reply_timeout_s + ctx.pace.recheck_s
