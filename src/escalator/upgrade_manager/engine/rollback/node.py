"""The life of one node on the way back: as its upgrade, with the old software in place of the new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from escalator.model.campaign import Hooks
from escalator.model.progress import Event, TaskKind, TaskState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.course import walk
from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.node import and_not_back, end_impacts, forget, overtaken, read_anew
from escalator.upgrade_manager.engine.outcome import Outcome, Status
from escalator.upgrade_manager.engine.procedure import leaves_out
from escalator.upgrade_manager.engine.rollback.changed import changed_node
from escalator.upgrade_manager.engine.runner import Step, current, record, revert
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.steps.announce import ANNOUNCE
from escalator.upgrade_manager.engine.steps.between import PUT_BACK
from escalator.upgrade_manager.engine.steps.consult import CONSULT
from escalator.upgrade_manager.engine.steps.cordon import CORDON, UNCORDON
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDONED
from escalator.upgrade_manager.engine.steps.hooks import (
    MAINTENANCE,
    NOT_RUN,
    POST_MAINTENANCE,
    PRE_MAINTENANCE,
    PREFLIGHT,
    prepared,
)
from escalator.upgrade_manager.engine.steps.members import ASK, EVACUATE, FLAG_STORAGE, HAND_OVER, REJOIN
from escalator.upgrade_manager.engine.steps.notify import NOTIFY
from escalator.upgrade_manager.engine.steps.roll_back import BEGUN, REBOOT_BACK, ROLL_BACK, VERIFY_BACK
from escalator.upgrade_manager.engine.steps.vacate import RESUME, VACATE

COURSE = (
    PREFLIGHT,
    ASK,
    CORDON,
    NOTIFY,
    CONSULT,
    VACATE,
    HAND_OVER,
    EVACUATE,
    FLAG_STORAGE,
    PRE_MAINTENANCE,
    ROLL_BACK,
    REBOOT_BACK,
    MAINTENANCE,
    VERIFY_BACK,
    POST_MAINTENANCE,
    RESUME,
    REJOIN,
    UNCORDON,
    ANNOUNCE,
)


async def roll_node_back(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Cordon, ask, vacate, put the old software back, reboot, verify, give back; what fails before leaves the node as it was.

    What the release did not touch on its way there is not touched on the way back. The campaign's hooks run as on the way there;
    what is to be restored by force asks none of them beforehand.
    """
    ref = TaskRef.from_json(arguments)
    read_anew(ctx, ref)
    campaign = await ctx.book.campaign(ref.campaign)
    _, inventory = await ctx.book.plan(ref.plan)
    impact = (await ctx.book.release(campaign.spec.release or "")).spec.impact
    hooks = campaign.spec.node.hooks if ref.hooked else Hooks()
    if ref.kind is TaskKind.RESTORE:
        hooks = hooks.model_copy(update={"preflight": ()})
    without = leaves_out(impact, hooks, inventory.node_by_id[ref.node].roles)
    begun, stopped = await walk(rt, ctx, ref, COURSE, without)
    if stopped is not None:
        return await _stopped(rt, ctx, ref, begun, stopped)
    forget(ctx, ref)
    return {"state": TaskState.DONE.value}


async def _stopped(rt: Runtime, ctx: Context, ref: TaskRef, begun: Sequence[Step], why: Outcome) -> dict[str, Any]:
    """Undo what the turn did to instances, and give the node back, unless what it runs now is not known to be sound."""
    held = dict(await rt.step("look-back", partial(_held, ctx, ref)))
    proved = UNCORDON in begun or REJOIN in begun or RESUME in begun
    troubles = [str(held["why"])] if held["why"] and not proved else []
    hooked = await prepared(ctx, ref)
    for step in reversed(begun):
        if (
            step.undo is None
            or (step is PRE_MAINTENANCE and not hooked)
            or (step in (NOTIFY, CORDON, PRE_MAINTENANCE) and (troubles or proved))
            or (step is EVACUATE and troubles and not proved)
        ):
            continue
        undone = await revert(rt, ctx, ref, step)
        if undone.status is not Status.DONE:
            troubles.append(f"undo of {step.name} failed: {undone.message}")
        hooked = hooked and not (step is PRE_MAINTENANCE and undone.status is Status.DONE)
        why = and_not_back(why, undone)
    if proved:
        troubles += ["the old software is back and proved", "what is not put back stands in escalator restoration list"]
    elif troubles:
        troubles.append("held: the node stays cordoned" if CORDON in begun else "held: the node counts as out of service")
        troubles += [NOT_RUN] if hooked else []
    return dict(await rt.step("put-back", partial(_end, ctx, ref, why, troubles)))


async def _held(ctx: Context, ref: TaskRef) -> dict[str, Any]:
    """Why the node stays out of service; empty when it can go back to it with what it runs."""
    memo = await ctx.store.tasks.memo(ref.id)
    if memo.get(PUT_BACK) is not None:
        return {"why": "the old software is back and proved, what follows on it is not done"}
    if memo.get(BEGUN) is not None:
        return {"why": "its software may be neither the old nor the new one"}
    rows = await ctx.store.restorations.open(ref.campaign, ref.node)
    if any(row.kind == CORDONED and not row.id.startswith(f"{ref.id}/") for row in rows):
        return {"why": "it was out of service before"}
    return {"why": ""}


async def _end(ctx: Context, ref: TaskRef, why: Outcome, troubles: Sequence[str]) -> dict[str, Any]:
    now = ctx.clock.now()
    failed = bool(troubles) or why.status is Status.FAILED
    state = TaskState.FAILED if failed else TaskState.SKIPPED
    changed = await changed_node(ctx, ref.campaign, ref.node)
    kept = ["not rolled back"] if changed is not None and changed.touched else []
    message = "; ".join([*kept, why.message, *troubles])
    if await overtaken(ctx, ref):
        return {"state": state.value, "code": why.code, "message": message}
    task = replace(await current(ctx, ref), state=state, code=why.code, message=message, updated_at=now)
    await end_impacts(ctx, ref, now)
    if not troubles:
        await ctx.store.admission.leave_node(ref.campaign, ref.node)
    await record(ctx, task, Event(at=now, action="node.end", outcome=state.value, code=why.code or None, message=message))
    forget(ctx, ref)
    return {"state": state.value, "code": why.code, "message": message}
