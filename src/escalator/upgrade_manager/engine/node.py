"""The life of one node in a campaign: the design's seven arrows, top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from escalator.model.codes import Code
from escalator.model.progress import Event, NodeTask, TaskState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.course import walk
from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.outcome import Outcome, Status
from escalator.upgrade_manager.engine.procedure import AFTER_STAGE, PLAIN
from escalator.upgrade_manager.engine.runner import Step, current, record, revert
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.standing import STOPPED
from escalator.upgrade_manager.engine.steps import between
from escalator.upgrade_manager.engine.steps.cordon import CORDON, UNCORDON
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDONED
from escalator.upgrade_manager.engine.steps.earlier import made_good_first
from escalator.upgrade_manager.engine.steps.hooks import NOT_RUN, PRE_MAINTENANCE, PREFLIGHT, prepared
from escalator.upgrade_manager.engine.steps.members import ASK, EVACUATE, REJOIN
from escalator.upgrade_manager.engine.steps.notify import NOTIFY
from escalator.upgrade_manager.engine.steps.stage import STAGE
from escalator.upgrade_manager.engine.steps.upgrade import UPGRADE
from escalator.upgrade_manager.engine.steps.vacate import RESUME, stay_of

COURSE = (STAGE, *AFTER_STAGE)
LOOKING = (STAGE, PREFLIGHT, ASK)
"""Steps that change nothing of what runs on a node."""
UNTOUCHED = "untouched"
"""Key in the data of why a turn ended: whether it had changed nothing yet."""


async def upgrade_node(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Stage, cordon, ask, vacate, back up, upgrade, reboot, verify, give back; on failure put the node back.

    What the release does not touch is left out, and so are hooks that the campaign does not name: staging says which.
    """
    ref = TaskRef.from_json(arguments)
    read_anew(ctx, ref)
    begun, stopped = await walk(rt, ctx, ref, COURSE, PLAIN)
    if stopped is not None:
        return await _put_back(rt, ctx, ref, begun, stopped)
    forget(ctx, ref)
    return {"state": TaskState.DONE.value}


async def _put_back(rt: Runtime, ctx: Context, ref: TaskRef, begun: Sequence[Step], why: Outcome) -> dict[str, Any]:
    """Undo in reverse. What cannot be undone keeps the node out of service, and it is reported."""
    why = replace(why, data={**why.data, UNTOUCHED: all(step in LOOKING for step in begun)})
    campaign = await ctx.book.campaign(ref.campaign)
    # Software that an abort left untouched is no failed upgrade, whatever policy says about those.
    touched = UPGRADE in begun and why.status is Status.FAILED
    policy = campaign.spec.failure.on_node_failure if touched else "rollback-node"
    proved = RESUME in begun or REJOIN in begun or UNCORDON in begun
    if proved:
        # Instances run on the node again, or may: its new software is verified, and nothing is rebooted under them.
        policy = "leave"
    why_left = "the new software is proved and stays" if proved else "left on what it runs now, by policy"
    troubles = [why_left] if policy == "leave" else []
    hooked = await prepared(ctx, ref)
    for step in reversed(begun):
        held = bool(troubles) or policy == "rollback-hold"
        if step.undo is None or (step is UPGRADE and policy == "leave") or (step is PRE_MAINTENANCE and not hooked):
            continue
        if held and not proved and step is EVACUATE:
            continue  # what was active on it stays where it is
        if held and step in (NOTIFY, CORDON, PRE_MAINTENANCE):
            # A node whose old software is not proved, or that policy holds, gets no new instances and is not announced.
            continue
        undone = await revert(rt, ctx, ref, _looked_back(step))
        if undone.status is not Status.DONE and between.LEFT not in undone.data:
            troubles.append(f"undo of {step.name} failed: {undone.message}")
        hooked = hooked and not (step is PRE_MAINTENANCE and undone.status is Status.DONE)
        why = and_not_back(why, undone)
    if proved:
        troubles.append("what is not put back stands in escalator restoration list")
    elif troubles or policy == "rollback-hold":
        troubles.append("held: the node stays cordoned" if CORDON in begun else "held: the node counts as out of service")
        troubles += [NOT_RUN] if hooked else []
    end = await rt.step("put-back", partial(_end, ctx, ref, why, troubles))
    return dict(end)


def _looked_back(step: Step) -> Step:
    """The step with an undo that minds what an earlier turn left: software that nobody proved, hooks that did not run."""
    if step is CORDON:
        return between.unless_left(made_good_first(step))
    return between.unless_left(step) if step in (EVACUATE, PRE_MAINTENANCE) else step


def and_not_back(why: Outcome, undone: Outcome) -> Outcome:
    """Why a turn ended, and what keeps the node out of service although all was put back."""
    not_back = undone.data.get("not_back")
    return replace(why, message=f"{why.message}; not in service at the end of its turn: {not_back}") if not_back else why


async def _end(ctx: Context, ref: TaskRef, why: Outcome, troubles: Sequence[str]) -> dict[str, Any]:
    now = ctx.clock.now()
    changed = await between.left_earlier(ctx, ref)
    out = any(row.kind == CORDONED for row in await ctx.store.restorations.open(ref.campaign, ref.node))
    left = (changed or out) and not troubles
    state = _state(why, troubles, left=left)
    kept = [*([between.LEFT] if changed else []), *(["held: the node stays cordoned"] if out else [])] if left else []
    kept += [NOT_RUN] if left and out and not changed and await prepared(ctx, ref) else []
    if state is TaskState.ROLLED_BACK and why.data.get(UNTOUCHED):
        # It is called rolled back as any node that failed and is in service as before.
        kept.append("its turn had changed nothing yet")
    message = "; ".join([why.message.rstrip(".") if kept else why.message, *troubles, *kept])
    if await overtaken(ctx, ref):
        return {"state": state.value, "code": why.code, "message": message, "undo_failed": False}
    task = await current(ctx, ref)
    if state is TaskState.PENDING:
        task = NodeTask(campaign=ref.campaign, node=ref.node, attempt=ref.attempt + 1, wave=ref.wave)
    task = replace(task, state=state, code=why.code, message=message, updated_at=now)
    undo_failed = any("undo of" in trouble for trouble in troubles)
    await end_impacts(ctx, ref, now)
    if not troubles and not out:
        await ctx.store.admission.leave_node(ref.campaign, ref.node)
    event = Event(
        at=now,
        action="node.end",
        outcome=state.value,
        code=Code.UPG_UNDO_FAILED.value if undo_failed else why.code or None,
        message=message,
    )
    await record(ctx, task, event)
    # Of a turn that waits others write: its place in the next plan, or that a person skips it.
    ctx.tasks.pop(task.id, None)
    forget(ctx, ref)
    return {"state": state.value, "code": why.code, "message": message, "undo_failed": undo_failed}


async def overtaken(ctx: Context, ref: TaskRef) -> bool:
    """Whether a turn has ended before, and a crash lost the record of that step: the node may be in another turn by now."""
    stored = await ctx.store.tasks.get(ref.campaign, ref.node)
    if stored is None or stored.attempt <= ref.attempt:
        return False
    forget(ctx, ref)
    return True


async def end_impacts(ctx: Context, ref: TaskRef, now: float) -> None:
    """End this node's impacts. An instance that could not be started again stays impacted: its group has one less to give."""
    rows = await ctx.store.restorations.open(ref.campaign, ref.node)
    stopped = {stay_of(row) for row in rows if row.kind == STOPPED}
    for row in await ctx.store.admission.impacts(ref.campaign):
        if row.node == ref.node and row.ended_at is None and row.id not in stopped:
            await ctx.store.admission.end_impact(row.id, now)


def _state(why: Outcome, troubles: Sequence[str], *, left: bool) -> TaskState:
    if troubles:
        return TaskState.FAILED
    if why.status is Status.LATER:
        return TaskState.PENDING
    if left:
        return TaskState.FAILED
    return TaskState.ROLLED_BACK if why.status is Status.FAILED else TaskState.SKIPPED


def read_anew(ctx: Context, ref: TaskRef) -> None:
    """A turn that is taken up stands in storage: since it ran here last, another replica may have gone on with it."""
    ctx.tasks.pop(ref.id, None)


def forget(ctx: Context, ref: TaskRef) -> None:
    """The turn is over: its campaign looks at it again."""
    ctx.tasks.pop(ref.id, None)
    ctx.signals.wake(ref.campaign, ref.node)
