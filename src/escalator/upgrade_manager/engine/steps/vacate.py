"""Vacate: what has to leave moves to its named target, then what stays is stopped. The undo starts what was stopped.

A move's undo is nothing: an instance stays where it is. A failed move never becomes a stopped instance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import PermanentError
from escalator.model.inventory import Instance
from escalator.model.progress import Event, Restoration, Rung
from escalator.storage.port import ImpactRow
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.doors import enter_impact, leave_impact, may_begin
from escalator.upgrade_manager.engine.failures import host_down
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.kinds import computes
from escalator.upgrade_manager.engine.lost import is_lost
from escalator.upgrade_manager.engine.moves import begun_moves, break_off, move_away, settle_left
from escalator.upgrade_manager.engine.outcome import Held, Outcome, Status, done, failed, skip
from escalator.upgrade_manager.engine.rollback.guests import instances_here
from escalator.upgrade_manager.engine.runner import Step, current
from escalator.upgrade_manager.engine.standing import STOPPED
from escalator.upgrade_manager.engine.steps import silence
from escalator.upgrade_manager.engine.steps.consult import UNSEEN, pause, restoring, until_seen
from escalator.upgrade_manager.engine.steps.cordon import given_back
from escalator.upgrade_manager.engine.told import tell_switched

STAYING = "staying"
"""Memo of a task: the instances whose stay holds their groups' slots."""
MOVES = ("live", "cold")
STAYS = ("in-place", "stop-start", "own")
STARTING = "powering-on"
"""Task of an instance that is on its way to run."""
ROUNDS = 3
"""How often what somebody starts in its node's turn is stopped: who starts it each time does not mean to let it rest."""


async def _do(job: Job) -> Outcome:
    back = await given_back(job)
    if back is not None:
        return back
    memo = await job.memo()
    decisions: dict[str, str] = dict(memo.get("decisions") or memo.get("planned") or {})
    here = {i.id: i for i in await instances_here(job)}
    strangers = [i for i in here if i not in decisions]
    if strangers:
        return skip(Code.UPG_INSTANCE_LEFT, f"instance {strangers[0]} came to the node although it is cordoned")
    begun = begun_moves(memo)
    moved = await settle_left(job, begun, here) or await _move_all(job, here, decisions, begun)
    if moved is not None:
        return moved
    # What an earlier run of this step stopped does not run now, and stays all the same.
    stopped = {row.object_id for row in await job.changes(STOPPED)}
    stayed = [i for i in here.values() if decisions[i.id] in STAYS and (i.running or i.id in stopped)]
    await _stay_all(job, stayed, decisions)
    left = sum(d in MOVES for d in decisions.values())
    # What an earlier turn stopped, and nobody has started since, is to run again at the end of this one.
    again = stopped - {i.id for i in stayed}
    return done(f"{left} moved, {counted(len(stayed), 'stays', 'stay')}", stayed=len(stayed) + len(again))


async def _move_all(
    job: Job, here: Mapping[str, Instance], decisions: Mapping[str, str], begun: Mapping[str, Mapping[str, Any]]
) -> Outcome | None:
    """Move everything that has to leave; None when all of it has left."""
    targets = {move.instance: move for move in job.plan.moves_from.get(job.node, ())}
    leaving = sorted((i for i in here.values() if decisions[i.id] in MOVES), key=lambda i: _turn(targets, i))
    results: list[Outcome] = []
    for start in range(0, len(leaving), job.spec.migration.per_node):
        batch = leaving[start : start + job.spec.migration.per_node]
        results += await _all(*(move_away(job, i, decisions[i.id], targets.get(i.id), begun.get(i.id)) for i in batch))
        if any(r.status is not Status.DONE for r in results):
            break
    bad = [r for r in results if r.status is not Status.DONE]
    worst = next((r for r in bad if r.code == Code.UPG_STUCK_INSTANCE.value), bad[0] if bad else None)
    if worst is None:
        return None
    if await host_down(job.ctx, job.node):
        worst = replace(worst, message=f"host {job.node} is down: {worst.message}")
    if worst.code == Code.UPG_STUCK_INSTANCE.value:
        return worst
    default = job.spec.workloads.default
    what = default.then if default.on_failure == "retry" else default.on_failure
    if what == "pause" and not await restoring(job):
        await pause(job, Code(worst.code), worst.message)
        return Outcome(status=Status.HELD, code=worst.code, message=worst.message, wait_s=job.ctx.pace.recheck_s)
    return skip(Code(worst.code), worst.message)


async def _all(*moves: Coroutine[Any, Any, Outcome]) -> list[Outcome]:
    """Every move is seen to its end before the first error is raised: none may go on behind a step that is over."""
    ended = await asyncio.gather(*moves, return_exceptions=True)
    for result in ended:
        if isinstance(result, BaseException):
            raise result
    return [result for result in ended if isinstance(result, Outcome)]


def _turn(targets: Mapping[str, object], instance: Instance) -> tuple[bool, float, str]:
    """By the plan; what manages others comes last: it is there to answer as long as it can."""
    move = targets.get(instance.id)
    return (instance.management, getattr(move, "start_s", float("inf")), instance.id)


async def _stay_all(job: Job, instances: Sequence[Instance], decisions: Mapping[str, str]) -> None:
    """Take the groups' slots, put each stop on the sheet, stop, and see it stopped; in declared order.

    Where policy leaves instances alone, or the node does not reboot, nothing is stopped that was not to be; the upgrade under
    them is an impact all the same.
    """
    order = {impact.instance: n for n, impact in enumerate(job.plan.impacts_on.get(job.node, ()))}
    order |= {instance.id: len(order) + 1 for instance in instances if instance.management}
    if instances:
        await job.remember(STAYING, sorted(i.id for i in instances))
    stopped = {row.object_id: row for row in await job.changes(STOPPED)}
    for instance in sorted(instances, key=lambda i: (order.get(i.id, len(order)), i.id)):
        await enter_impact(job, _stay(job, instance), instance, begun=instance.id in stopped)
        if not _stops(job, decisions[instance.id]):
            continue
        # What an earlier turn stopped was found as it was then, and is started once.
        row = stopped.get(instance.id) or await job.will_change(STOPPED, instance.id, {"state": instance.state})
        await _last_look(job, instance, row)
        await _ask_to_stop(job, instance.id)
        await _until(job, instance.id, running=False)
        await tell(job, "instance.stop", instance.id)
        await tell_switched(job, row, running=False)


async def _ask_to_stop(job: Job, instance_id: str) -> None:
    """One that is gone by now is nobody's to stop."""
    try:
        await job.ctx.cloud.stop(instance_id)
    except PermanentError as error:
        if error.code is not Code.CLD_NOT_FOUND:
            raise


async def stop_again(job: Job) -> None:
    """The last look before the node goes down: what was started on it since it was vacated is stopped first, not cut off.

    It goes onto the sheet, and runs again at the end of the turn. Raises PermanentError (`UPG_INSTANCE_LEFT`) for one that is
    started again and again.
    """
    if not computes(job):
        return
    may_run = await staying(job)
    for _ in range(ROUNDS):
        risen = [i for i in await instances_here(job) if i.id not in may_run and (i.running or i.task_state == STARTING)]
        if not risen:
            return
        for instance in risen:
            row = await job.will_change(STOPPED, instance.id, {"state": "active"})
            await _at_rest(job, instance.id)
            await _ask_to_stop(job, instance.id)
            await _at_rest(job, instance.id)
            await tell(job, "instance.stop", instance.id, "somebody had started it while its node was in its turn")
            await tell_switched(job, row, running=False)
    message = f"instance {risen[0].id} is started again whenever it is stopped, and {job.node} does not go down under it"
    raise PermanentError(Code.UPG_INSTANCE_LEFT, message)


async def staying(job: Job) -> set[str]:
    """Instances that stay on the node and are not stopped."""
    return set((await job.memo()).get(STAYING) or ()) - {row.object_id for row in await job.changes(STOPPED)}


async def _last_look(job: Job, instance: Instance, row: Restoration) -> None:
    """A pause, an abort or a freeze may have come since the door let it through: then nothing is to be started again."""
    if not instance.running:
        return
    try:
        await may_begin(job, instance.id)
    except (Held, PermanentError):
        await job.put_back(row)
        raise


def _stops(job: Job, decision: str) -> bool:
    """Whether an instance that stays is stopped meanwhile."""
    if job.spec.workloads.default.action == "leave":
        return False
    return decision == "stop-start" or job.release.spec.impact != "dataplane"


def stay_id(task: str, instance_id: str) -> str:
    """Id of the impact that a task's turn has on an instance that stays on its node."""
    return f"{task}/{instance_id}/stay"


def stay_of(row: Restoration) -> str:
    """Id of the impact behind a stop on the sheet: whichever attempt stopped the instance."""
    return stay_id(row.id.removesuffix(f"/{STOPPED}/{row.object_id}"), row.object_id)


def _stay(job: Job, instance: Instance) -> ImpactRow:
    return ImpactRow(
        id=stay_id(job.ref.id, instance.id),
        campaign=job.ref.campaign,
        node=job.node,
        instance=instance.id,
        kind="in-place",
        groups=instance.groups,
        started_at=job.ctx.clock.now(),
    )


async def start_all(job: Job) -> Outcome:
    """Start what this node's turn stopped, in the order of its stopping, and see each ACTIVE."""
    rows = await job.changes(STOPPED)
    for row in rows:
        instance = await observed.instance(job.ctx, row.object_id)
        if instance is not None:
            if not await _runs_again(job, row.object_id):
                return failed(Code.UPG_STUCK_INSTANCE, f"instance {row.object_id} was started and is not active")
            await tell(job, "instance.start", row.object_id)
            await tell_switched(job, row, running=True)
            # An earlier attempt may have stopped it: its slots were kept as long as it did not run.
            await leave_impact(job, replace(_stay(job, instance), id=stay_of(row)))
        await job.put_back(row)
    for instance_id in (await job.memo()).get(STAYING) or ():
        instance = await observed.instance(job.ctx, instance_id) or job.inventory.instance_by_id.get(instance_id)
        if instance is not None:
            await leave_impact(job, _stay(job, instance))
    return done(counted(len(rows), "instance runs", "instances run") + " again")


async def _undo(job: Job) -> Outcome:
    """Nothing is on its way any more, and what was stopped runs."""
    await break_off(job, begun_moves(await job.memo()))
    rows = await job.changes(STOPPED)
    if rows and is_lost(await current(job.ctx, job.ref)):
        if await job.system.boot_id(job.node) is None:
            # A person is not kept waiting for what cannot be: `node retry` starts them when the node is there.
            return failed(Code.UPG_LOST, f"{counted(len(rows), 'instance')} cannot be started, the node does not answer")
        await silence.over(job)
    return await start_all(job)


async def _runs_again(job: Job, instance_id: str) -> bool:
    """Start the instance unless it runs; False when it is in error.

    Where the turn was cut off while it was being stopped, that is waited for: nothing else would start it.
    """
    instance = await _at_rest(job, instance_id)
    if instance is not None and not instance.running:
        await job.ctx.cloud.start(instance_id)
    return await _until(job, instance_id, running=True)


async def _at_rest(job: Job, instance_id: str) -> Instance | None:
    """The instance once nothing is under way with it; None when it is gone."""
    while (instance := await job.ctx.cloud.instance(instance_id)) is not None and instance.task_state is not None:
        await job.ctx.clock.sleep(job.ctx.pace.poll_s)
    return instance


async def _until(job: Job, instance_id: str, *, running: bool) -> bool:
    """Wait, bounded by the step's time-out, until the instance runs or does not; False when it is in error."""
    while True:
        instance = await job.ctx.cloud.instance(instance_id)
        if instance is None or (instance.running == running and instance.task_state is None):
            return True
        if instance.state == "error":
            return False
        await job.ctx.clock.sleep(job.ctx.pace.poll_s)


async def tell(job: Job, action: str, instance_id: str, message: str = "") -> None:
    """Add a line about one instance to the history."""
    event = Event(
        at=job.ctx.clock.now(),
        action=action,
        campaign=job.ref.campaign,
        node=job.node,
        object_id=instance_id,
        message=message,
    )
    await job.ctx.store.events.append((event,))


VACATE = Step(
    name="vacate",
    do=_do,
    undo=_undo,
    rung=Rung.VACATED,
    timeout_s=lambda spec: spec.node.timeouts.vacate_s,
    gate=until_seen,
    gate_for=UNSEEN,
)
RESUME = Step(name="resume", do=start_all, timeout_s=lambda spec: spec.node.timeouts.verify_s, abortable=False)
