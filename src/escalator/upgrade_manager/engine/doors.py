"""Going through the doors of admission, waiting in front of them as long as the step may take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.inventory import Instance
from escalator.model.progress import Event
from escalator.storage.port import ImpactRow
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.admission import GroupLimit, ImpactDoor, keys_of
from escalator.upgrade_manager.engine.failures import host_down
from escalator.upgrade_manager.engine.freeze import current_freeze
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Held
from escalator.upgrade_manager.engine.overdue import overdue
from escalator.upgrade_manager.engine.runner import current, record
from escalator.upgrade_manager.engine.states import HOLDING, LEAVING
from escalator.upgrade_manager.planner.nights import local


async def enter_impact(job: Job, row: ImpactRow, instance: Instance, *, begun: bool = False) -> None:
    """Take the slots of an impact on the instance; waits until limits, bounds and its VNF manager's work let it through.

    The step's time-out stands still meanwhile. Raises PermanentError when nothing moves at the door for as long as the
    whole step may take: a node is not kept out of service for what may never come. What has `begun` before a restart is not
    asked of the VNF manager again: it has to be seen to its end. What only waits does not begin once `may_begin` says so.
    """
    await _through_door(job, row, instance, begun=begun)
    if begun:
        return
    try:
        await may_begin(job, row.instance)
    except (Held, PermanentError):
        await withdraw_impact(job, row)
        raise


async def may_begin(job: Job, instance_id: str) -> None:
    """Look at what people want now, as the last thing before something happens to the instance.

    Raises PermanentError when the campaign is aborted (`UPG_ABORTED`) or everything is frozen (`UPG_FROZEN`): the turn is given
    back; Held while it is paused, and on the way back while everything is frozen.
    """
    state = await job.ctx.store.campaigns.state(job.ref.campaign)
    if state in LEAVING[job.ref.kind]:
        raise PermanentError(Code.UPG_ABORTED, f"instance {instance_id} was not touched: the campaign was aborted")
    if state is HOLDING[job.ref.kind]:
        raise Held(f"instance {instance_id} was not touched: the campaign is paused")
    freeze = await current_freeze(job.ctx)
    if freeze is not None and job.ref.back:
        raise Held(f"instance {instance_id} was not touched: {freeze.said}")
    if freeze is not None:
        raise PermanentError(Code.UPG_FROZEN, f"instance {instance_id} was not touched: {freeze.said}")


async def _through_door(job: Job, row: ImpactRow, instance: Instance, *, begun: bool) -> None:
    row, refusal, door = await _asked(job, row, None if begun else instance)
    if refusal is None:
        return
    longest_s = job.spec.node.timeouts.vacate_s
    since, blockers, told, shown = job.ctx.clock.now(), door.blockers, "", ""
    with job.deadline.waiting():
        while refusal is not None:
            now = job.ctx.clock.now()
            if door.key != told:
                told = door.key
                await _write(job, row, refusal)
            if (said := _said(job, refusal, door)) != shown:
                shown = said
                await _show(job, row, said)
            if door.blockers != blockers or door.retry_s is not None:
                # A group that recovers is through by itself; others in the way than before will be, too.
                since, blockers = now, door.blockers
            await may_begin(job, row.instance)
            late = await overdue(job.ctx, job.ref, "vacate")
            if late is not None:
                raise PermanentError(Code(late.code), f"instance {row.instance} was not touched: {late.message}")
            if now - since >= longest_s:
                message = f"instance {row.instance} was not let through within {longest_s:g} s: {refusal}"
                raise PermanentError(Code.UPG_TIMEOUT, message)
            # Another replica's change is not heard here, nor one of what is declared: the net is looked under after `recheck_s`.
            left_s = since + longest_s - now if door.retry_s is None else door.retry_s
            await job.ctx.signals.wait(f"{row.campaign}/{door.key}", job.ctx.clock, min(job.ctx.pace.recheck_s, left_s))
            row, refusal, door = await _asked(job, row, None if begun else instance)
    await _show_through(job, row)


@dataclass(frozen=True, slots=True)
class _AtWork:
    """The door of a VNF whose manager is at work on it; as `ImpactDoor` after a refusal."""

    key: str
    blockers: frozenset[str]
    retry_s: float | None = None
    recovers: tuple[str, float] | None = None


async def _asked(job: Job, row: ImpactRow, instance: Instance | None) -> tuple[ImpactRow, str | None, ImpactDoor | _AtWork]:
    operations = await job.ctx.vim.operations((instance,)) if instance is not None else ()
    if operations:
        # The same for all operations: one after the other, or words that change, would be waited for without end.
        return row, f"{operations[0].what} is under way", _AtWork(f"operations/{row.instance}", frozenset({"operations"}))
    limits = await _limits(job, row)
    horizon = max((limit.recovery_s for limit in limits), default=0.0)
    now = job.ctx.clock.now()
    # The impact begins when it is let through, not when it asked first.
    row = replace(row, started_at=now)
    door = ImpactDoor(row, limits, job.spec.migration, now)
    return row, await job.ctx.store.admission.enter_impact(row, now - horizon, door), door


async def leave_impact(job: Job, row: ImpactRow) -> None:
    """Give the impact's slots back, and let those try again who wait for them; its groups recover from now on."""
    await job.ctx.store.admission.end_impact(row.id, job.ctx.clock.now())
    for key in keys_of(row):
        job.ctx.signals.wake(f"{row.campaign}/{key}")


async def withdraw_impact(job: Job, row: ImpactRow) -> None:
    """Give the slots of an impact back by which nothing happened to its instance: no group recovers from that."""
    await job.ctx.store.admission.withdraw_impact(row.id)
    for key in keys_of(row):
        job.ctx.signals.wake(f"{row.campaign}/{key}")


def _said(job: Job, refusal: str, door: ImpactDoor | _AtWork) -> str:
    """The refusal as it stays true while it is waited for: with the time at which it ends, where that is known."""
    if door.recovers is None:
        return refusal
    group, at_s = door.recovers
    moment = local(job.spec, ceil(at_s))
    return f"group {group} recovers until {moment:%H:%M:%S} ({moment.isoformat()[-6:]})"


async def _write(job: Job, row: ImpactRow, refusal: str) -> None:
    task = await current(job.ctx, job.ref)
    event = Event(at=job.ctx.clock.now(), action="impact.waits", object_id=row.instance, outcome="held", message=refusal)
    await record(job.ctx, task, event)


async def _show(job: Job, row: ImpactRow, refusal: str) -> None:
    """Let whoever looks at the node see it, and that its host is down.

    Of several instances that wait, the one is shown that came to its door last.
    """
    down = await host_down(job.ctx, job.node)
    waits = f"{_waiting(row)}{refusal}"
    shown = replace(
        await current(job.ctx, job.ref),
        code=Code.UPG_HOST_FAILURE.value if down else "",
        message=f"host {job.node} is down; {waits}" if down else waits,
    )
    job.ctx.tasks[shown.id] = shown
    await job.ctx.store.tasks.put(shown)


async def _show_through(job: Job, row: ImpactRow) -> None:
    """The instance waits no more; what another one waits for stays."""
    task = await current(job.ctx, job.ref)
    if _waiting(row) in task.message:
        shown = replace(task, code="", message="")
        job.ctx.tasks[shown.id] = shown
        await job.ctx.store.tasks.put(shown)


def _waiting(row: ImpactRow) -> str:
    return f"instance {row.instance} waits: "


async def _limits(job: Job, row: ImpactRow) -> list[GroupLimit]:
    if not row.groups:
        return []
    groups = await observed.groups(job.ctx, job.inventory, row.groups, job.spec.migration, counted=True)
    away = await _away(job)
    found = []
    for group, members in groups:
        down = away & {m.id for m in members}
        found.append(GroupLimit(group.id, group.limit(len(members)), group.recovery_s, down))
    return found


async def _away(job: Job) -> frozenset[str]:
    """Instances on nodes that are down now, wherever the plan saw them."""
    down = [node for node, service in (await job.ctx.cloud.unavailable()).items() if not service.up]
    found: set[str] = set()
    for node in down:
        found |= {instance.id for instance in await job.ctx.cloud.instances_on(node, job.spec.migration)}
    return frozenset(found)
