"""Running one step: its gate, its retries, its record. The step boundary: here, and only here, any failure becomes a value."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from escalator.model.campaign import CampaignSpec
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import EscalatorError, TemporaryError
from escalator.model.progress import CampaignState, Condition, Event, NodeTask, Rung, TaskKind, TaskState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job, TaskRef, job_of
from escalator.upgrade_manager.engine.kinds import expects_silence
from escalator.upgrade_manager.engine.outcome import Held, Outcome, Status, failed
from escalator.upgrade_manager.engine.overdue import CODES, WAITING, frozen_back, overdue, spare_s
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.standing import standing
from escalator.upgrade_manager.engine.states import BACK, GOING, HOLDING

ATTEMPTS = 4
"""Tries of a step that meets a temporary error: with doubling pauses that covers a restart of an API service."""
DEFAULT_TIMEOUT_S = 600.0
"""Longest time of a step whose campaign says nothing about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One kind of step: what it does, how it is undone, and where the ladder stands afterwards."""

    name: str
    do: Callable[[Job], Awaitable[Outcome]]
    undo: Callable[[Job], Awaitable[Outcome]] | None = None
    rung: Rung | None = None
    timeout_s: Callable[[CampaignSpec], float] = lambda _: DEFAULT_TIMEOUT_S
    undo_timeout_s: Callable[[CampaignSpec], float] | None = None
    """The same for its undo, where that takes more than what it undoes."""
    abortable: bool = True
    """Whether an abort of the campaign stops the node before this step. Once its software changes, a node goes on."""
    gate: Callable[[Job], Awaitable[Outcome]] | None = None
    """What may hold the node before this step beside the campaign's own gate; open when it is done."""
    gate_for: str = ""
    """Memo of a task without which that gate is open; empty when it is always asked."""
    begun: str = ""
    """Memo of a task that is set once the step has begun something on the node: that is followed to its end, whatever a gate
    would say to a repetition of the step. Holds and aborts take effect before the next one."""
    ends: TaskState | None = None
    """The task's state once this step is done, for the last one."""


async def perform(rt: Runtime, ctx: Context, ref: TaskRef, step: Step) -> Outcome:
    """Run the step to its end. A gate or a door is waited for outside the step, so that nothing is lost meanwhile."""
    while True:
        outcome = Outcome.from_json(await rt.step(step.name, partial(_attempt, ctx, ref, step)))
        if outcome.status not in (Status.HELD, Status.WAIT):
            return outcome
        await rt.receive(outcome.topic, outcome.wait_s)


async def revert(rt: Runtime, ctx: Context, ref: TaskRef, step: Step) -> Outcome:
    """Run the step's undo to its end; no gate stands before an undo."""
    return Outcome.from_json(await rt.step(f"undo-{step.name}", partial(_undo, ctx, ref, step)))


async def _attempt(ctx: Context, ref: TaskRef, step: Step) -> dict[str, object]:
    if not await _under_way(ctx, ref, step):
        gate = await _gate(ctx, ref, step) or await _own_gate(ctx, ref, step)
        if gate is not None:
            return gate.to_json()
    await _begin(ctx, ref, step)
    began = ctx.clock.now()
    outcome = await _guarded(ctx, ref, step.do, step.timeout_s, patient=not step.abortable)
    if outcome.status is Status.WAIT and step.name in WAITING and not ref.back:
        # At the end of its window it looks again, whoever has not answered by then.
        outcome = replace(outcome, wait_s=min(outcome.wait_s, max(0.0, await spare_s(ctx, ref)) + ctx.pace.poll_s))
    await _conclude(ctx, ref, step, outcome, ctx.clock.now() - began)
    return outcome.to_json()


async def _under_way(ctx: Context, ref: TaskRef, step: Step) -> bool:
    """Whether this is a repetition of a step that the manager did not live to see the end of."""
    return bool(step.begun) and (await ctx.store.tasks.memo(ref.id)).get(step.begun) is not None


async def _gate(ctx: Context, ref: TaskRef, step: Step) -> Outcome | None:
    state, hold = await ctx.store.holds.gate(ref.campaign, ref.node)
    if state is HOLDING[ref.kind]:
        return await _hold(ctx, ref, step, "")
    if state not in GOING[ref.kind] and step.abortable:
        what = "is rolled back" if state in BACK else "was aborted"
        return Outcome(status=Status.ABORT, code=Code.UPG_ABORTED.value, message=f"the campaign {what}")
    if state not in GOING[ref.kind]:
        return None
    # A restore waits for nothing, and so does a turn of the way back that it found under way.
    forced = ref.kind is TaskKind.RESTORE or state is CampaignState.RESTORING
    keys = () if forced else (await ctx.book.campaign(ref.campaign)).spec.exclusive
    if keys and not ctx.leases.valid(ref.campaign):
        return await _hold(ctx, ref, step, "the campaign's keys are not held")
    why = await frozen_back(ctx, ref, step.name) if hold is None else hold.said
    return await _hold(ctx, ref, step, why) if why else await overdue(ctx, ref, step.name, await current(ctx, ref))


async def _hold(ctx: Context, ref: TaskRef, step: Step, why: str) -> Outcome:
    task = await current(ctx, ref)
    said = f"held before {step.name}{f': {why}' if why else ''}{await standing(ctx, task)}"
    if task.state is not TaskState.HELD or task.message != said:
        now = ctx.clock.now()
        held = replace(task, state=TaskState.HELD, message=said, updated_at=now)
        await record(ctx, held, Event(at=now, action="node.held", step=step.name, outcome="held", message=why))
        ctx.signals.wake(ref.campaign, ref.node)
    return Outcome(status=Status.HELD, message=why or "the campaign is paused", wait_s=ctx.pace.recheck_s)


async def _own_gate(ctx: Context, ref: TaskRef, step: Step) -> Outcome | None:
    if step.gate is None or (step.gate_for and not (await ctx.store.tasks.memo(ref.id)).get(step.gate_for)):
        return None
    outcome = await _guarded(ctx, ref, step.gate, lambda _: DEFAULT_TIMEOUT_S, patient=True)
    if outcome.status is Status.HELD:
        return await _hold(ctx, ref, step, outcome.message)
    return None if outcome.status is Status.DONE else outcome


async def _begin(ctx: Context, ref: TaskRef, step: Step) -> None:
    now = ctx.clock.now()
    task = await current(ctx, ref)
    running = replace(task, state=TaskState.RUNNING, step=step.name, message="", updated_at=now)
    await record(ctx, running, Event(at=now, action=f"node.{step.name}", step=step.name, outcome="started"))


async def _conclude(ctx: Context, ref: TaskRef, step: Step, outcome: Outcome, duration_s: float) -> None:
    now = ctx.clock.now()
    task = await current(ctx, ref)
    changed = replace(task, message=outcome.message, code=outcome.code, updated_at=now)
    if outcome.status is Status.DONE and step.rung is not None:
        rung = Condition(
            step.rung, status=not outcome.data.get("unreached"), since=now, reason=step.name, message=outcome.message
        )
        changed = replace(changed, ladder=(*task.ladder, rung))
    if outcome.status is Status.DONE and step.ends is not None:
        changed = replace(changed, state=step.ends)
    if outcome.status is Status.HELD:
        changed = replace(changed, state=TaskState.HELD)
    event = Event(
        at=now,
        action=f"node.{step.name}",
        step=step.name,
        outcome=outcome.status.value,
        code=outcome.code or None,
        message=outcome.message,
        duration_s=round(duration_s, 3),
    )
    await record(ctx, changed, event)


async def _undo(ctx: Context, ref: TaskRef, step: Step) -> dict[str, object]:
    if step.undo is None:
        return Outcome(status=Status.DONE).to_json()
    began = ctx.clock.now()
    outcome = await _guarded(ctx, ref, step.undo, step.undo_timeout_s or step.timeout_s, patient=True)
    now = ctx.clock.now()
    task = replace(await current(ctx, ref), updated_at=now)
    if step.rung is not None and outcome.status is Status.DONE:
        undone = Condition(step.rung, status=False, since=now, reason=f"undo-{step.name}", message=outcome.message)
        task = replace(task, ladder=(*task.ladder, undone))
    event = Event(
        at=now,
        action=f"node.undo-{step.name}",
        step=step.name,
        outcome=outcome.status.value,
        code=outcome.code or None,
        message=outcome.message,
        duration_s=round(now - began, 3),
    )
    await record(ctx, task, event)
    return outcome.to_json()


@dataclass(slots=True)
class _Met:
    """Errors that a step met while it tried again: a day's worth of them, of which people need the last."""

    times: int = 0
    last: str = ""
    error: TemporaryError | None = None


async def _guarded(
    ctx: Context,
    ref: TaskRef,
    work: Callable[[Job], Awaitable[Outcome]],
    timeout_s: Callable[[CampaignSpec], float],
    *,
    patient: bool,
) -> Outcome:
    met = _Met()

    async def whole() -> Outcome:
        job = await job_of(ctx, ref)
        async with asyncio.timeout(timeout_s(job.spec)) as limit:
            job.deadline.over(limit)
            return await _tried(ctx, job, work, met, patient=patient)

    outcome = await outcome_of(whole)
    if outcome.code == Code.UPG_TIMEOUT.value and met.error is not None and _of_storage(met.error):
        raise met.error
    if outcome.code == Code.UPG_TIMEOUT.value and met.times:
        # A person has to know what was waited for: a cloud that is away, a full quota.
        return replace(outcome, message=f"{outcome.message}; it met {counted(met.times, 'error')}, last: {met.last}")
    task = ctx.tasks.get(ref.id)
    if outcome.code == Code.UPG_TIMEOUT.value and task is not None and task.code == Code.UPG_LOST.value:
        return replace(outcome, code=task.code, message="it did not come back from its reboot within the time-out")
    return outcome


async def outcome_of(work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """What came of the work, whatever fails in it.

    Raises TemporaryError (`STO_UNAVAILABLE`) when it is our own storage that fails: no fault of the node. The runtime
    repeats the whole step then, gates and all.
    """
    try:
        return await work()
    except Held as held:
        return Outcome(status=Status.HELD, message=str(held))
    except TimeoutError:
        return failed(Code.UPG_TIMEOUT, "the step did not end within its time-out")
    except EscalatorError as error:
        if _of_storage(error):
            raise
        return _ended_by(error)
    except Exception as error:  # noqa: BLE001 - the step boundary: whatever fails, the node is put back
        return failed(Code.UPG_STEP_FAILED, _chain(error))


def _ended_by(error: EscalatorError) -> Outcome:
    """Some errors are no failures: the turn is given back, for good or until later."""
    if error.code is Code.UPG_ABORTED:
        return Outcome(status=Status.ABORT, code=error.code.value, message=error.message)
    if error.code in CODES:
        return Outcome(status=Status.LATER, code=error.code.value, message=error.message)
    return failed(error.code, _chain(error))


async def _tried(ctx: Context, job: Job, work: Callable[[Job], Awaitable[Outcome]], met: _Met, *, patient: bool) -> Outcome:
    """Try again after a temporary error: a few times, or, where giving up is worse than waiting, until the time-out.

    What it meets is put down in `met`.
    """
    for attempt in count(1):
        try:
            await ctx.sheet.catch_up(ctx.store.restorations)
            return await work(job)
        except TemporaryError as error:
            met.times, met.last, met.error = attempt, _chain(error), error
            if attempt >= ATTEMPTS and not await _goes_on(job, error, patient=patient):
                raise
            if attempt == ATTEMPTS and not _of_storage(error):
                await _still_tried(ctx, job.ref, error)
            await ctx.clock.sleep(min(ctx.pace.poll_s * 2 ** min(attempt - 1, 6), ctx.pace.slowest_poll_s))
    raise AssertionError("count never ends")


async def _still_tried(ctx: Context, ref: TaskRef, error: TemporaryError) -> None:
    """A step that goes on for its whole time-out is not to look like one that works."""
    now = ctx.clock.now()
    task = await current(ctx, ref)
    message = f"tried again: {_chain(error)}"
    # A node that is not counted on any more stays so: nobody counts on it, or starts instances on it, because a cloud is away.
    code = error.code.value if task.code != Code.UPG_LOST.value else task.code
    said = replace(task, code=code, message=message, updated_at=now)
    event = Event(at=now, action="node.waits", step=task.step, outcome="again", code=error.code.value, message=message)
    await record(ctx, said, event)


async def _goes_on(job: Job, error: TemporaryError, *, patient: bool) -> bool:
    """Whether a step tries again within its time-out although it has met an error a few times.

    Refused credentials are a password that a person has changed and not told us yet: no node is at fault, and with them none
    could be put back either.
    """
    if patient or _of_storage(error) or error.code is Code.CLD_CREDENTIALS:
        return True
    return error.code is Code.CLD_UNREACHABLE and await expects_silence(job)


def _of_storage(error: BaseException | None) -> bool:
    """Whether it is our own storage that does not answer, or takes nothing: a full disk, mostly."""
    return isinstance(error, TemporaryError) and error.code is Code.STO_UNAVAILABLE


def _chain(error: BaseException) -> str:
    """The message and its causes, outermost first."""
    parts: list[str] = []
    current_error: BaseException | None = error
    while current_error is not None and len(parts) < 4:
        text = getattr(current_error, "message", "") or str(current_error) or type(current_error).__name__
        if isinstance(current_error, EscalatorError) and current_error.remedy:
            text = f"{text} {current_error.remedy}"
        parts.append(text)
        current_error = current_error.__cause__
    return ": ".join(parts)[:2000]


async def current(ctx: Context, ref: TaskRef) -> NodeTask:
    """The task as it is now; each task has one writer, so this process's copy is the truth once it is there."""
    task = ctx.tasks.get(ref.id)
    if task is None:
        stored = await ctx.store.tasks.get(ref.campaign, ref.node)
        fresh = NodeTask(campaign=ref.campaign, node=ref.node, attempt=ref.attempt, wave=ref.wave, kind=ref.kind)
        task = stored if stored is not None and stored.attempt == ref.attempt else fresh
        ctx.tasks[ref.id] = task
    return task


async def record(ctx: Context, task: NodeTask, event: Event) -> None:
    """Store the task as it is now with the event that made it so."""
    ctx.tasks[task.id] = task
    full = replace(event, campaign=task.campaign, node=task.node, object_id=event.object_id or task.node)
    await ctx.store.tasks.put(task, (full,))
