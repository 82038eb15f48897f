"""Moving one instance off a node: the named target, re-checked just before; another one when it is lost; bounded tries."""

from __future__ import annotations

from collections.abc import AsyncIterator

from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError
from escalator.model.inventory import Instance
from escalator.model.plan import Move
from escalator.model.progress import Event
from escalator.storage.port import ImpactRow
from escalator.upgrade_manager.engine.doors import enter_impact, leave_impact
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, done, failed
from escalator.upgrade_manager.engine.targets import local_targets, target_lost

MAX_TARGETS = 10
"""Nodes that are tried for one instance before its node is given up: more would be a search, and that is the planner's."""


async def move_away(job: Job, instance: Instance, kind: str, planned: Move | None) -> Outcome:
    """Move the instance; done when it is gone from the node, at rest and healthy."""
    number = failures = 0
    reason = f"no node has room for instance {instance.id}"
    async for target in _targets(job, instance, planned):
        if failures > job.spec.migration.retries or number == MAX_TARGETS:
            break
        number += 1
        order = MoveOrder(instance.id, job.node, target, "cold" if kind == "cold" else "live")
        status = await _one_try(job, instance, order, number)
        if status.state in (MoveState.DONE, MoveState.LOST):
            return done(f"{instance.id} is on {status.at}")
        # A target that the cloud finds unfit cost the instance nothing: only a move that began counts as a failure.
        failures += status.state is not MoveState.NONE
        reason = f"instance {instance.id} did not move to {target}: {status.message or status.state.value}"
        await _tell(job, order, "failed", status.message)
    return failed(Code.UPG_MOVE_FAILED if number else Code.UPG_NO_TARGET, reason)


async def _targets(job: Job, instance: Instance, planned: Move | None) -> AsyncIterator[str]:
    """The planned target, then others by the planner's own rules, from the cloud as it is then."""
    tried: set[str] = set()
    if planned is not None:
        lost = await target_lost(job, planned.target)
        tried.add(planned.target)
        if lost is None:
            yield planned.target
        else:
            await _replanned(job, instance, planned.target, lost)
    while True:
        target = await local_targets(job, instance, tried)
        if target is None:
            # Everything that fits was tried once: the planned target may have been short of luck only.
            if planned is None or await target_lost(job, planned.target) is not None:
                return
            target = planned.target
        tried.add(target)
        yield target


async def _one_try(job: Job, instance: Instance, order: MoveOrder, number: int) -> MoveStatus:
    row = ImpactRow(
        id=f"{job.ref.id}/{instance.id}/{number}",
        campaign=job.ref.campaign,
        node=job.node,
        instance=instance.id,
        kind=order.kind,
        groups=instance.groups,
        target=order.target,
        demand=dict(instance.demand),
        started_at=job.ctx.clock.now(),
    )
    await enter_impact(job, row)
    try:
        await job.ctx.cloud.start_move(order)
        await _tell(job, order, "started", "")
        status = await _follow(job, order)
    except PermanentError as error:
        unfit = error.code is Code.CLD_NO_VALID_HOST
        status = MoveStatus(MoveState.NONE if unfit else MoveState.FAILED, order.origin, message=error.message)
    finally:
        await leave_impact(job, row)
    if status.state is MoveState.DONE:
        await _tell(job, order, "done", "")
    return status


async def _follow(job: Job, order: MoveOrder) -> MoveStatus:
    """Follow the move by both the instance and the record; a cold one ends only when it is confirmed, or taken back."""
    began = job.ctx.clock.now()
    while True:
        status = await job.ctx.cloud.move_status(order)
        if status.state is MoveState.CONFIRM:
            await _settle(job, order, status)
        elif status.state is not MoveState.RUNNING:
            return status
        elif job.ctx.clock.now() - began > _longest(job):
            await job.ctx.cloud.abort_move(order)
        await job.ctx.clock.sleep(job.ctx.pace.next_poll_s(job.ctx.clock.now() - began))


async def _settle(job: Job, order: MoveOrder, status: MoveStatus) -> None:
    try:
        if status.healthy:
            await job.ctx.cloud.confirm_move(order)
        else:
            await job.ctx.cloud.revert_move(order)
    except EscalatorError as error:
        # The next look at the status tells whether it was settled all the same.
        await _tell(job, order, "settle", error.message)


def _longest(job: Job) -> float:
    """One move may take at most half the time for vacating, so that another try still fits."""
    return job.spec.node.timeouts.vacate_s / 2


async def _replanned(job: Job, instance: Instance, lost: str, why: str) -> None:
    event = Event(
        at=job.ctx.clock.now(),
        action="move.replanned",
        campaign=job.ref.campaign,
        node=job.node,
        object_id=instance.id,
        message=f"target {lost} is lost: {why}",
    )
    await job.ctx.store.events.append((event,))


async def _tell(job: Job, order: MoveOrder, outcome: str, message: str) -> None:
    event = Event(
        at=job.ctx.clock.now(),
        action="instance.move",
        campaign=job.ref.campaign,
        node=job.node,
        object_id=order.instance,
        outcome=outcome,
        message=message,
        data={"from": order.origin, "to": order.target, "kind": order.kind},
    )
    await job.ctx.store.events.append((event,))
