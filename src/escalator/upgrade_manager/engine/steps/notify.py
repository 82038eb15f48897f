"""Notify: each VNF manager with instances on the node is told what is about to happen and asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import TemporaryError
from escalator.model.inventory import Instance
from escalator.model.plan import Plan
from escalator.model.progress import Rung
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, done, skip
from escalator.upgrade_manager.engine.rollback.guests import instances_here
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.steps.noticed import interruptions, said, wary
from escalator.upgrade_manager.planner.actions import Leaves, Stays, Stuck, action_for
from escalator.vim_interface.port import Ask

ANSWERS = "answers"
SETTLE_S = 1.0
"""The announced moment of action lies this long after the last moment to reply."""


async def _do(job: Job) -> Outcome:
    instances = await instances_here(job)
    blocked = [i for i in instances if i.blocked is not None]
    if blocked:
        # A tenant's own task (a rebuild, a snapshot) ends soon as a rule: worth the step's retries.
        raise TemporaryError(Code.UPG_STUCK_INSTANCE, f"Instance {blocked[0].id} cannot be touched now: {blocked[0].blocked}.")
    owners = await job.ctx.vim.owners(instances)
    planned = planned_actions(job, instances, owners)
    stuck = [i for i in instances if i.id not in planned]
    if stuck:
        action = action_for(stuck[0], job.spec, managed=stuck[0].id in owners)
        why = action.reason if isinstance(action, Stuck) else f"instance {stuck[0].id} can neither move nor stay"
        return skip(Code.PLN_PINNED, why)
    unasked = sorted(await wary(job, [i for i in instances if i.id not in owners], planned))
    if unasked:
        return skip(Code.VIM_NOTICED, said(unasked[0]))
    # As it was asked first: who came since was in no notice, and nobody has agreed to anything about it.
    planned = await job.remember("planned", planned, once=True)
    await job.remember("owners", dict(owners), once=True)
    asked = await ask(job, [i for i in instances if i.id in planned], planned, round_number=1)
    return done(counted(asked, "VNF manager is asked", "VNF managers are asked"), asked=asked)


def planned_actions(job: Job, instances: Sequence[Instance], owners: Collection[str]) -> dict[str, str]:
    """What is planned per instance: by the plan, else (it came since) by policy. What can neither move nor stay is missing."""
    moves = {m.instance: m.kind for m in job.plan.moves_from.get(job.node, ())}
    stays = {i.instance: i.kind for i in job.plan.impacts_on.get(job.node, ())}
    planned: dict[str, str] = {}
    for instance in instances:
        if instance.id in moves and instance.running and instance.migration != "none":
            kind = moves[instance.id]
            planned[instance.id] = kind if instance.may(kind) else instance.migration
            continue
        action = action_for(instance, job.spec, managed=instance.id in owners)
        # A plan that counted on consent is none any more where nobody is left to give it.
        unasked = isinstance(action, Stuck) and stays.get(instance.id) == "in-place"
        if instance.id in stays and instance.running and stays[instance.id] != "offline" and instance.may("none") and not unasked:
            planned[instance.id] = stays[instance.id]
            continue
        if isinstance(action, (Leaves, Stays)):
            planned[instance.id] = action.kind
    return planned


def interim(plan: Plan, node: str, planned: Mapping[str, str]) -> frozenset[str]:
    """Return a node's instances that are to move to one whose own turn is still to come: they will have to move once more."""
    turns = plan.upgrade_of
    moves = (m for m in plan.moves_from.get(node, ()) if planned.get(m.instance) in ("live", "cold"))
    return frozenset(move.instance for move in moves if move.target in turns and turns[move.target].start_s >= move.start_s)


async def ask(job: Job, instances: Sequence[Instance], planned: dict[str, str], round_number: int) -> int:
    """Ask once more, in a round of its own; how many VNF managers are asked."""
    policy = job.spec.workloads.notify
    now = job.ctx.clock.now()
    reply_by = await job.remember(f"reply_by-{round_number}", now + policy.reply_timeout_s, once=True)
    notices = await job.ctx.vim.ask(
        Ask(
            task=round_id(job, round_number),
            campaign=job.ref.campaign,
            node=job.node,
            instances=tuple(instances),
            planned=planned,
            interruptions=interruptions(job, instances, planned),
            interim=interim(job.plan, job.node, planned),
            reply_by=reply_by,
            details={"purpose": job.ref.kind.value} if job.ref.back else {},
            action_at=max(reply_by + SETTLE_S, now + policy.lead_time_s),
        )
    )
    return len(notices)


def round_id(job: Job, round_number: int) -> str:
    """Id under which the VIM Interface knows a round of asking; the part before `~` is the workflow to wake."""
    return job.ref.id if round_number == 1 else f"{job.ref.id}~{round_number}"


async def take_back(job: Job) -> Outcome:
    """Withdraw what is open. That the node is available is told when it is back in service: the cordon's undo is next."""
    memo = await job.memo()
    for number in range(1, int(memo.get("round", 1)) + 1):
        await job.ctx.vim.cancel(round_id(job, number))
    return done("the VNF managers are told that nothing happens")


NOTIFY = Step(name="notify", do=_do, undo=take_back, rung=Rung.NOTIFIED)
