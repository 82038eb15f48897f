"""Moving one instance off a node: the named target, re-checked just before; another one when it is lost; bounded tries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError
from escalator.model.inventory import Instance
from escalator.model.plan import Move
from escalator.model.progress import Event
from escalator.storage.port import ImpactRow
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.board import STRAYED
from escalator.upgrade_manager.engine.doors import enter_impact, leave_impact, may_begin, withdraw_impact
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Held, Outcome, done, failed
from escalator.upgrade_manager.engine.targets import is_full, joins, local_targets, target_lost
from escalator.upgrade_manager.engine.told import tell_moved
from escalator.upgrade_manager.engine.untold import tell_end, tell_move, untold

AGAIN_S = 15.0
"""Before a target that the cloud refused is tried once more: with all tries, longer than two reports of a host."""
LOOKS = 3
"""How often a full target is looked at where no other is left: three quarters of a minute in all."""
MAX_TARGETS = 10
"""Nodes that are tried for one instance before its node is given up: more would be a search, and that is the planner's."""


_BEGUN = "move/"
"""Memo of a task: the latest try of each instance, so that a repetition goes on where this one was cut off."""


async def move_away(job: Job, instance: Instance, kind: str, planned: Move | None, begun: Mapping[str, Any] | None) -> Outcome:
    """Move the instance; done when it is gone from the node, at rest and healthy.

    `begun` is the memo's entry of an earlier run of the step that did not see its end.
    """
    with job.deadline.busy():
        return await _tries(job, instance, kind, planned, begun)


async def _tries(job: Job, instance: Instance, kind: str, planned: Move | None, begun: Mapping[str, Any] | None) -> Outcome:
    tries = failures = 0
    number = 0 if begun is None else int(begun["number"])
    reason = f"no node has room for instance {instance.id}"
    under_way = await _under_way(job, instance, begun)
    refused: set[str] = set()
    async for target in _targets(job, instance, planned, under_way, refused):
        if failures > job.spec.migration.retries or tries == MAX_TARGETS:
            break
        if target in refused:
            # A scheduler that was told a moment ago that a host is back may not know it before that host's next report.
            await job.ctx.clock.sleep(AGAIN_S)
        order = MoveOrder(instance.id, job.node, target, "cold" if kind == "cold" else "live")
        if under_way is not None and not tries:
            order = under_way
        else:
            number += 1
        tries += 1
        status = await _one_try(job, instance, order, number, begun=order is under_way)
        if status.state is MoveState.LOST or (status.state is MoveState.DONE and status.healthy):
            if not job.ref.back and (planned is None or status.at != planned.target):
                await job.ctx.store.tasks.remember(job.ref.campaign, STRAYED, job.ctx.clock.now())
            return done(f"{instance.id} is on {status.at}")
        if status.state in (MoveState.DONE, MoveState.FAILED) and not status.healthy:
            await tell_move(job, order, "failed", status.why)
            return failed(Code.UPG_STUCK_INSTANCE, _broken(instance.id, status))
        # A target that the cloud finds unfit cost the instance nothing: only a move that began counts as a failure.
        failures += status.state is not MoveState.NONE
        refused |= {target} if status.state is MoveState.NONE else set()
        reason = f"instance {instance.id} did not move to {target}: {status.why}"
        await tell_move(job, order, "failed", status.why)
    return failed(Code.UPG_MOVE_FAILED if tries else Code.UPG_NO_TARGET, reason)


def _broken(instance_id: str, status: MoveStatus) -> str:
    """No further try is made: what a move left broken needs a person, and the node's turn ends as a failure."""
    why = status.message or "it is not in the state it was in before"
    return f"instance {instance_id} is on {status.at} after its move and needs a person: {why}"


def begun_moves(memo: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The latest try of each instance that this task began to move."""
    return {key.removeprefix(_BEGUN): value for key, value in memo.items() if key.startswith(_BEGUN)}


async def settle_left(job: Job, begun: Mapping[str, Mapping[str, Any]], here: Collection[str]) -> Outcome | None:
    """See moves to their end whose instance has left the node since a run of this step was cut off; a failure if one broke."""
    left = {instance_id: entry for instance_id, entry in begun.items() if instance_id not in here}
    unseen = await untold(job) if left else frozenset()
    for instance_id, entry in left.items():
        status = await _settle_one(job, instance_id, entry, unseen)
        if status.state is MoveState.DONE and not status.healthy:
            return failed(Code.UPG_STUCK_INSTANCE, _broken(instance_id, status))
    return None


async def break_off(job: Job, begun: Mapping[str, Mapping[str, Any]]) -> None:
    """Abort the moves under way, and see each to its end; its instance stays where it then is."""
    unseen = await untold(job) if begun else frozenset()
    for instance_id, entry in begun.items():
        order = _order(job, instance_id, entry)
        if (await job.ctx.cloud.move_status(order)).state is MoveState.RUNNING:
            await job.ctx.cloud.abort_move(order)
        await _settle_one(job, instance_id, entry, unseen)


async def _settle_one(job: Job, instance_id: str, entry: Mapping[str, Any], unseen: Collection[str]) -> MoveStatus:
    order = _order(job, instance_id, entry)
    status = await _follow(job, order)
    if instance_id in unseen:
        await tell_end(job, order, status)
    await tell_moved(job, order, int(entry["number"]), status)
    await _tell_owner(job, order, status)
    instance = await observed.instance(job.ctx, instance_id) or job.inventory.instance_by_id.get(instance_id)
    if instance is not None:
        await leave_impact(job, _row(job, instance, order, int(entry["number"])))
    return status


def _order(job: Job, instance_id: str, entry: Mapping[str, Any]) -> MoveOrder:
    return MoveOrder(instance_id, job.node, str(entry["target"]), "cold" if entry["kind"] == "cold" else "live")


async def _under_way(job: Job, instance: Instance, begun: Mapping[str, Any] | None) -> MoveOrder | None:
    """The order of an earlier run that is still under way; what else that run held is given back."""
    if begun is None:
        return None
    order = _order(job, instance.id, begun)
    status = await job.ctx.cloud.move_status(order)
    if status.state in (MoveState.RUNNING, MoveState.CONFIRM):
        return order
    if instance.id in await untold(job):
        await tell_end(job, order, status)
    await leave_impact(job, _row(job, instance, order, int(begun["number"])))
    return None


async def _targets(
    job: Job, instance: Instance, planned: Move | None, under_way: MoveOrder | None, refused: Collection[str]
) -> AsyncIterator[str]:
    """Where the instance is on its way to, the planned target, then others by the planner's own rules, from the cloud then.

    Where the planned one did not refuse the instance, it is tried once more before room is taken that is meant for others.
    """
    tried: set[str] = set()
    asked_anyway = once_more = False
    if under_way is not None:
        tried.add(under_way.target)
        yield under_way.target
    if planned is not None:
        lost = await target_lost(job, planned.target, instance)
        full = lost is None and await is_full(job, planned.target, instance)
        lost = "it has no room now" if full else lost
        tried.add(planned.target)
        if lost is None:
            once_more = True
            yield planned.target
        else:
            await _replanned(job, instance, planned.target, lost)
    while True:
        others = await local_targets(job, instance, tried)
        target = others.spare
        if target is None and planned is not None and once_more and planned.target not in refused:
            once_more = False
            target = planned.target if await target_lost(job, planned.target, instance) is None else None
        target = target or others.any
        if target is None:
            # Everything that fits was tried once: the planned target may have been short of luck only.
            if planned is None or await target_lost(job, planned.target, instance) is not None:
                return
            target = planned.target
            full = not await _has_room_soon(job, target, instance)
            if full and asked_anyway:
                return
            asked_anyway = full
        tried.add(target)
        yield target


async def _has_room_soon(job: Job, target: str, instance: Instance) -> bool:
    """Give what leaves the target some time to do so. The cloud has the last word: it is asked once in any case."""
    for _ in range(LOOKS):
        if not await is_full(job, target, instance):
            return True
        await job.ctx.clock.sleep(AGAIN_S)
    return False


async def _one_try(job: Job, instance: Instance, order: MoveOrder, number: int, *, begun: bool) -> MoveStatus:
    await job.remember(_BEGUN + instance.id, {"number": number, "target": order.target, "kind": order.kind})
    row = _row(job, instance, order, number)
    await enter_impact(job, row, instance, begun=begun)
    # While it waited at the door, another member of its group may have gone where it is to go.
    joined = None if begun else await joins(job, order.target, instance)
    if joined is not None:
        await withdraw_impact(job, row)
        return MoveStatus(MoveState.NONE, order.origin, message=joined)
    if not begun:
        await _last_look(job, row)
    try:
        await job.ctx.cloud.start_move(order)
    except PermanentError as error:
        status = await _refused(job, order, error)
    else:
        await tell_move(job, order, "started", "")
        status = await _follow(job, order)
    # Cut off by a time-out, any error or a crash, the move may be under way: its slots stay taken until the step's
    # repetition, or its undo, has seen the end of it.
    await tell_moved(job, order, number, status)
    await _tell_owner(job, order, status)
    # What the cloud refused before it began cost the instance nothing, and its groups have nothing to recover from.
    await (withdraw_impact if status.state is MoveState.NONE else leave_impact)(job, row)
    if status.state is MoveState.DONE and status.healthy:
        await tell_move(job, order, "done", "")
    return status


async def _refused(job: Job, order: MoveOrder, error: PermanentError) -> MoveStatus:
    """What became of a move that the cloud did not take: its target is unfit, or the instance is gone by now."""
    if error.code is Code.CLD_NOT_FOUND and await job.ctx.cloud.instance(order.instance) is None:
        return MoveStatus(MoveState.LOST, None, healthy=False, message=error.message)
    unfit = error.code is Code.CLD_NO_VALID_HOST
    return MoveStatus(MoveState.NONE if unfit else MoveState.FAILED, order.origin, message=error.message)


async def _last_look(job: Job, row: ImpactRow) -> None:
    """A pause, an abort or a freeze may have come since the door let it through."""
    try:
        await may_begin(job, row.instance)
    except (Held, PermanentError):
        await withdraw_impact(job, row)
        raise


def _row(job: Job, instance: Instance, order: MoveOrder, number: int) -> ImpactRow:
    return ImpactRow(
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
        await tell_move(job, order, "settle", error.message)


async def _tell_owner(job: Job, order: MoveOrder, status: MoveStatus) -> None:
    if status.state is MoveState.DONE and status.healthy:
        await job.ctx.vim.finished.tell(job.ref.id, order.instance)


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
