"""Putting one node back on a backup, outside any campaign: a course of its own, so that it survives the manager.

The node takes no new instances meanwhile. Once its software is touched and something goes wrong it stays out of service,
and the break-glass sheet says how it comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from escalator.cloud_manager.port import ServiceState
from escalator.model.backup import BackupState, NodeBackup, RestoreState
from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConditionsError, ConflictError, PermanentError, TemporaryError
from escalator.model.progress import Event, Restoration
from escalator.model.release import Release
from escalator.system_support.port import Progress, SystemSupport
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.kinds import in_the_way, not_aside
from escalator.upgrade_manager.engine.operations import GOOD, again, follow, tried
from escalator.upgrade_manager.engine.outcome import Outcome, done
from escalator.upgrade_manager.engine.runner import outcome_of
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.states import ACTIVE
from escalator.upgrade_manager.engine.steps import between
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON
from escalator.upgrade_manager.engine.steps.reboots import FROM, PENDING
from escalator.upgrade_manager.engine.way_back import turn_of
from escalator.upgrade_manager.planner.scope import OURS

COURSE = "restore"
LONGEST_S = 2 * 3600.0
"""Longest time of a restore: a rollback, a reboot, and a compute service that comes back."""
BY_HAND = "restore"
"""What stands in the sheet's rows for the campaign: there is none."""
REASON = "Escalator restore"
"""How the reason begins that the cloud is given for a node out of service."""


def workflow_of(row: NodeBackup) -> str:
    """Id of the workflow, and of the operation on the node: one for each time that it is asked for."""
    return f"restore/{row.id}/{row.restores}"


async def refuse_while_active(ctx: Context) -> None:
    """Raise ConflictError while a campaign has the cloud."""
    for row in await ctx.store.campaigns.list():
        if row.state in ACTIVE:
            message = f"Campaign {row.name} is {row.state.value}; a backup is restored when no campaign is active."
            raise ConflictError(Code.SYS_BACKUP_BUSY, message, remedy=f"escalator campaign show {row.name}")


async def refuse_while_restoring(ctx: Context, campaign: str | None = None) -> None:
    """Raise ConflictError while a node is put back on a backup, of that campaign or of any: no campaign starts meanwhile."""
    for row in await ctx.store.backups.restoring():
        if campaign not in (None, row.campaign):
            continue
        message = f"{row.node} is being restored from {row.id}."
        raise ConflictError(Code.SYS_BACKUP_BUSY, message, remedy=f"Wait for its end: escalator backup show {row.id}")


async def refuse_under_instances(ctx: Context, node: str) -> None:
    """Raise ConditionsError when instances run on the node."""
    running = sorted(i.id for i in await observed.instances_on(ctx, node, Migration()) if i.running)
    if running:
        more = f" and {len(running) - 5} more" if len(running) > 5 else ""
        message = f"{counted(len(running), 'instance runs', 'instances run')} on {node}: {', '.join(running[:5])}{more}."
        raise ConditionsError(Code.SYS_CARRIES, message, remedy="Move them away, or accept the impact: --accept-impact")


async def refuse_for_clusters(ctx: Context, node: str) -> None:
    """Raise ConditionsError when the clusters of the node cannot do without it now, or it was not stood aside.

    A restore moves nothing away by itself: who is master, and what is active on a network node, a person changes first.
    """
    there = (await observed.inventory(ctx, Migration())).node_by_id.get(node)
    for role in () if there is None else there.roles:
        why = await in_the_way(ctx, node, role) or await not_aside(ctx, node, role)
        if why:
            remedy = f"Stand {node} aside, or bring back what is away; or accept it: --accept-cluster WHY"
            raise ConditionsError(Code.SYS_MEMBER, f"{node} may not go now, of its {role} cluster: {why}.", remedy=remedy)


async def restore_node(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Verify the backup, cordon, put it back, reboot where that is needed, prove it, give the node back."""
    end = await rt.step("restore", partial(_restored, ctx, str(arguments["backup"])))
    await rt.step("conclude", partial(_conclude, ctx, str(arguments["backup"]), end))
    return dict(end)


async def _restored(ctx: Context, backup_id: str) -> dict[str, str]:
    row = await ctx.store.backups.get(backup_id)
    if row is None:
        return {"code": Code.SYS_BACKUP_NOT_FOUND.value, "message": "the record of the backup is gone"}
    outcome = await outcome_of(partial(_patiently, ctx, partial(_course, ctx, row)))
    message = outcome.message
    if outcome.code and not (await ctx.store.tasks.memo(workflow_of(row))).get("begun"):
        undone = await outcome_of(partial(_patiently, ctx, partial(_untouched, ctx, row)))
        message += f" Nothing was touched, and {row.node} is still disabled: {undone.message}" if undone.code else ""
    return {"code": outcome.code, "message": message}


async def _patiently(ctx: Context, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Again and again while the node or the cloud does not answer: once begun, giving up is worse than waiting."""
    began = ctx.clock.now()
    async with asyncio.timeout(LONGEST_S):
        while True:
            try:
                return await work()
            except TemporaryError:
                await ctx.clock.sleep(ctx.pace.next_poll_s(ctx.clock.now() - began))


async def _untouched(ctx: Context, row: NodeBackup) -> Outcome:
    """Give the node back as this restore found it. What an earlier one holds, it holds on."""
    await _uncordon(ctx, row, [held for held in await _held(ctx, row) if held.id == _cordon_id(row)])
    return done()


async def _course(ctx: Context, row: NodeBackup) -> Outcome:
    """Every part of it is safe to repeat."""
    memo = await ctx.store.tasks.memo(workflow_of(row))
    system, release = await _parts(ctx, row)
    if not memo.get("begun"):
        await refuse_while_active(ctx)
        await _sound(ctx, row, system)
        await _cordon(ctx, row)
        if not memo.get("accept_cluster"):
            await refuse_for_clusters(ctx, row.node)
        if not memo.get("accept_impact"):
            await refuse_under_instances(ctx, row.node)
        await ctx.store.tasks.remember(workflow_of(row), "begun", value=True)
    await _put_back(ctx, row, system, release)
    await _proved(ctx, row, system, release)
    await _uncordon(ctx, row, await _held(ctx, row))
    return done(f"{row.node} runs what it ran before {row.release}")


async def _parts(ctx: Context, row: NodeBackup) -> tuple[SystemSupport, Release]:
    system = ctx.systems.get(row.driver)
    if system is None:
        raise PermanentError(Code.SYS_CONFIG, f"The driver {row.driver!r} that took the backup is not configured.")
    return system, await ctx.book.release(row.release)


def _cordon_id(row: NodeBackup) -> str:
    return f"{workflow_of(row)}/{CORDON}"


async def _held(ctx: Context, row: NodeBackup) -> list[Restoration]:
    """Out of service by this restore, or by an earlier one of the node that went wrong."""
    return [held for held in await ctx.store.restorations.open(BY_HAND, row.node) if held.kind == CORDON]


async def _cordon(ctx: Context, row: NodeBackup) -> None:
    """No new instance lands on the node; one that is out of service already stays so, and is not ours to give back."""
    held, found = await _held(ctx, row), await _service(ctx, row)
    if held and found is not None and not found.enabled and (found.reason or "").startswith(REASON):
        return
    if not held:
        if found is None or not found.enabled:
            return
        state = found.to_json()
        restoration = Restoration(
            id=_cordon_id(row),
            campaign=BY_HAND,
            kind=CORDON,
            object_id=row.node,
            node=row.node,
            found=state,
            commands=ctx.cloud.by_hand(CORDON, row.node, row.node, state),
            created_at=ctx.clock.now(),
        )
        await ctx.store.restorations.add(restoration)
        await ctx.sheet.rewrite(ctx.store.restorations)
    await ctx.cloud.cordon(row.node, f"{REASON} of {row.id}")


async def _uncordon(ctx: Context, row: NodeBackup, held: Sequence[Restoration]) -> None:
    if not held:
        return
    now = await ctx.cloud.service(row.node)
    if not now.enabled and (now.reason or "").startswith((REASON, OURS)):
        await ctx.cloud.restore_service(row.node, ServiceState(**held[0].found))  # type: ignore[arg-type]  # by to_json
    for restoration in held:
        await ctx.store.restorations.done(restoration.id, ctx.clock.now())
    await ctx.sheet.rewrite(ctx.store.restorations)


async def _sound(ctx: Context, row: NodeBackup, system: SystemSupport) -> None:
    """Raise PermanentError unless the backup holds what was kept."""
    check = await system.shelf.verify(row.node, row.content)
    if check.ok:
        await ctx.store.backups.mark(row.id, state=BackupState.KEPT, verified_at=ctx.clock.now())
        return
    await ctx.store.backups.mark(row.id, state=BackupState.DAMAGED)
    raise PermanentError(check.code or Code.SYS_BACKUP_DAMAGED, f"The backup {row.id} is {check.message}.")


async def _put_back(ctx: Context, row: NodeBackup, system: SystemSupport, release: Release) -> None:
    async def perform(operation: str) -> Progress:
        await system.rollback(row.node, release, row.content, operation)
        return await follow(system, row.node, operation, ctx.clock, ctx.pace)

    progress = await tried(ctx.clock, again(workflow_of(row)), perform)
    if progress.state not in GOOD:
        last = " / ".join(progress.lines)
        raise PermanentError(Code.SYS_RESTORE, f"It ended {progress.state.value}: {last}. The node is held out of service.")


async def _proved(ctx: Context, row: NodeBackup, system: SystemSupport, release: Release) -> None:
    if "reboot" in system.capabilities(release):
        await _rebooted(ctx, row, system, release)
    bad = [check for check in await system.verify_rollback(row.node, release, row.content) if not check.ok]
    if bad:
        said = "; ".join(f"{check.name}: {check.message}" for check in bad)
        raise PermanentError(Code.SYS_RESTORE, f"What runs is not what was kept: {said}. The node is held out of service.")
    await between.proved_by_hand(ctx, row.node)
    while (service := await _service(ctx, row)) is not None and not service.up:
        await ctx.clock.sleep(ctx.pace.poll_s)


async def _rebooted(ctx: Context, row: NodeBackup, system: SystemSupport, release: Release) -> None:
    """Reboot the node where it has to be, once. The boot that is to end is written down first."""
    memo = await ctx.store.tasks.memo(workflow_of(row))
    before = memo.get(FROM)
    if before is None:
        if not (await system.reboot_needed(row.node, release))[0]:
            return
        before = await system.boot_id(row.node)
        if before is None:
            raise TemporaryError(Code.SYS_UNREACHABLE, f"{row.node} does not answer.")
        await ctx.store.tasks.remember(workflow_of(row), FROM, before)
    await system.reboot(row.node, before)
    began = ctx.clock.now()
    while await system.boot_id(row.node) in (None, before):
        await ctx.clock.sleep(ctx.pace.next_poll_s(ctx.clock.now() - began))
    needed, still = await system.reboot_needed(row.node, release)
    due_before = (await ctx.store.tasks.memo(turn_of(row))).get(PENDING)
    if release.spec.reboot == "auto" and needed and still != due_before:
        said = f"It has rebooted and is to reboot all the same: {still}"
        raise PermanentError(Code.SYS_RESTORE, f"{said}. The node is held out of service.")


async def _service(ctx: Context, row: NodeBackup) -> ServiceState | None:
    """The node's compute service; None for a node that has none, as those of other roles."""
    try:
        return await ctx.cloud.service(row.node)
    except PermanentError as error:
        if error.code is not Code.CLD_NOT_FOUND:
            raise
        return None


async def _conclude(ctx: Context, backup_id: str, end: Mapping[str, str]) -> None:
    now = ctx.clock.now()
    done = not end["code"]
    state = RestoreState.DONE if done else RestoreState.FAILED
    row = await ctx.store.backups.mark(backup_id, restore=state, restored_at=now, code=end["code"], message=end["message"])
    if row is None:
        return
    event = Event(
        at=now,
        action="backup.restore",
        campaign=row.campaign,
        node=row.node,
        object_id=backup_id,
        outcome=state.value,
        code=end["code"] or None,
        message=end["message"],
    )
    await ctx.store.events.append((event,))
