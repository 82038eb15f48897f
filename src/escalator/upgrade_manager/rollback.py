"""The use cases of the way back: roll back, restore, commit, and what people do to nodes meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, ConflictError, NotFoundError
from escalator.model.plan import Plan
from escalator.model.progress import CampaignState, Event, NodeTask, TaskKind, TaskState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.by_hand import take_off, take_off_ended
from escalator.upgrade_manager.engine.changes import change, go_on, keep_why_back, turn_back
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.exclusive import require
from escalator.upgrade_manager.engine.failures import held_by_host
from escalator.upgrade_manager.engine.freeze import FROZEN
from escalator.upgrade_manager.engine.launching import drive_if_not, launch_back
from escalator.upgrade_manager.engine.people import accept, accepted, by_a_person, put, row_of, wake_held
from escalator.upgrade_manager.engine.restore import refuse_while_restoring
from escalator.upgrade_manager.engine.rollback.campaign import begin_back
from escalator.upgrade_manager.engine.rollback.changed import changed_by, later
from escalator.upgrade_manager.engine.rollback.freeing import begin_freeing
from escalator.upgrade_manager.engine.rollback.leaving import BEGUN_IN, CALLED_OFF, CALLED_OFF_IN, FROM, as_upgraded, begun
from escalator.upgrade_manager.engine.rollback.numbers import NUMBER, next_number
from escalator.upgrade_manager.engine.rollback.planning import (
    FOLLOWED,
    GIVEN_UP,
    NO_OUTAGE,
    OUTSIDE_WINDOWS,
    back,
    campaign_back,
    planned_back,
)
from escalator.upgrade_manager.engine.rollback.previewed import noted
from escalator.upgrade_manager.engine.states import BACK, VERBS, check
from escalator.upgrade_manager.engine.windows import waits_for_window
from escalator.upgrade_manager.node_verbs import any_changed, node_verbs
from escalator.upgrade_manager.planner.outage import outage_of

OVER = (CampaignState.COMPLETED, CampaignState.ABORTED)
ASKED_IN = (CampaignState.PAUSED, CampaignState.SUSPENDED, *OVER)
"""States in which a person may ask for a rollback. One that runs has to be paused first."""
PREVIEWED_IN = (CampaignState.RUNNING, *ASKED_IN)
BACKUPS_GO_IN = (CampaignState.ROLLED_BACK, CampaignState.RESTORED)
"""States in which nothing asks for a campaign's backups any more."""
NODES_IN = (CampaignState.ROLLING_BACK, CampaignState.ROLLBACK_PAUSED, CampaignState.ROLLBACK_FAILED)
SHOWN = 5


class RollbackService:
    """Everything that people ask of the way back."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def rollback(
        self, name: str, reason: str = "", *, accept_outage: bool = False, outside_windows: bool = False
    ) -> CampaignRow:
        """Begin the way back of everything that the campaign changed, in maintenance windows unless it does not wait for them.

        Raises ConflictError when its state does not allow that, nothing was changed, a later campaign has changed the same
        nodes, another campaign has the cloud, or a node is being restored; ConditionsError when its driver cannot put old
        software back, or instances would be stopped on the way and that is not accepted.
        """
        row = await self._may(name)
        if not accept_outage:
            await self._refuse_outage(name, outside_windows=outside_windows)
        await take_off_ended(self._ctx)
        asked: dict[str, object] = {FOLLOWED: None, GIVEN_UP: [], CALLED_OFF: None, FROM: row.state.value}
        asked |= {NO_OUTAGE: not accept_outage, OUTSIDE_WINDOWS: outside_windows, **await accepted(self._ctx, name)}
        if row.state in OVER:
            asked[NUMBER] = await next_number(self._ctx, name)
        else:
            await drive_if_not(self._ctx, row)  # which hands over to the way back
        why = reason or by_a_person(self._ctx, "rolled back")
        if outside_windows and (await self._ctx.book.campaign(name)).spec.windows:
            why += by_a_person(self._ctx, "; accepted outside of its maintenance windows")
        # Another person may have asked at the same time, whose way back goes on by now: of who is second nothing stays.
        await turn_back(self._ctx, name, row.state, why, asked)
        if row.state in OVER:
            await as_upgraded(self._ctx, name)  # what an earlier way back left
            await self._once_more(name)
            await launch_back(self._ctx, name)
        await wake_held(self._ctx, name)
        return await row_of(self._ctx, name)

    async def preview(self, name: str, *, outside_windows: bool = False) -> Plan:
        """The plan that a rollback would go by now; nothing is stored. Raises as `rollback`, but not for a campaign that runs.

        That one has to be paused before it is rolled back; what it has under way then is planned as if it stood still.
        """
        await self._may(name, PREVIEWED_IN)
        made = await planned_back(self._ctx, name, TaskKind.ROLLBACK, outside_windows=outside_windows)
        campaign = await campaign_back(self._ctx, name, outside_windows=outside_windows)
        return await noted(self._ctx, campaign, made)

    async def waits(self, name: str) -> str:
        """Until when a way back waits for its window, in a sentence with what does not wait; empty where it does not wait."""
        opens = waits_for_window((await campaign_back(self._ctx, name)).spec, self._ctx.clock.now())
        then = f"escalator campaign abort {name}, then escalator campaign rollback {name} --outside-windows"
        return f"No node goes back before its window opens: {opens}. Without waiting: {then}" if opens else ""

    async def commit(self, name: str, reason: str = "") -> CampaignRow:
        """Make the campaign final: its backups are removed, and there is no way back any more.

        Raises ConflictError when its state does not allow that, or a node is being put back on one of its backups.
        """
        row = await row_of(self._ctx, name)
        if row.state in BACKUPS_GO_IN:
            release = (await self._ctx.book.campaign(name)).spec.release
            message = f"Campaign {name} is {row.state.value}: nothing of it is left to commit."
            at_once = f", and at once with escalator backup prune --release {release}" if release else ""
            remedy = f"Its backups go by the settings' retention{at_once}"
            raise ConflictError(Code.UPG_STATE, message, remedy=remedy, facts={"state": row.state.value})
        check(name, row.state, CampaignState.COMMITTED)
        await refuse_while_restoring(self._ctx, name)
        now = self._ctx.clock.now()
        said = reason or by_a_person(self._ctx, "committed")
        event = Event(at=now, action="campaign.committed", campaign=name, object_id=name, outcome="committed", message=said)
        row = await self._ctx.store.campaigns.change(
            name, OVER, (replace(event, by=self._ctx.by),), state=CampaignState.COMMITTED, code="", reason=said
        )
        await begin_freeing(self._ctx, name)
        return row

    async def call_off(self, row: CampaignRow, reason: str = "") -> CampaignRow:
        """Let the campaign be what it was before its way back, of which nothing has begun; that is so within moments.

        Raises ConflictError when a node has begun to go back: what is half-way back is no state that anybody asked for.
        """
        check(row.name, row.state, CampaignState.ABORTED)
        nodes = await begun(self._ctx, row.name)
        if nodes or row.state not in CALLED_OFF_IN:
            raise _under_way(row, nodes)
        why = by_a_person(self._ctx, "the way back was called off", reason)
        await self._ctx.store.tasks.remember(row.name, CALLED_OFF, why)
        if row.code == Code.UPG_NOT_DRIVEN.value:
            await begin_back(self._ctx, row.name)
        self._ctx.signals.wake(row.name)
        return await row_of(self._ctx, row.name)

    async def restore(self, name: str, reason: str = "") -> CampaignRow:
        """Put the nodes that are not back on the oldest backup of this campaign, by force."""
        row = await row_of(self._ctx, name)
        check(name, row.state, CampaignState.RESTORING)
        given_up = await self._given_up(name)
        tasks = back(await self._ctx.store.tasks.list(name, ladders=False))
        left = [task for task in tasks if task.state is not TaskState.DONE and task.node not in given_up]
        # Where the way back could not even be planned, no node has a turn yet.
        if not left and (tasks or not await changed_by(self._ctx, name)):
            raise ConflictError(Code.UPG_NOTHING_BACK, f"No node of campaign {name} is left to restore.")
        for task in left:
            if task.state in (TaskState.FAILED, TaskState.SKIPPED):
                again = _again(task, TaskKind.RESTORE, self._ctx.clock.now())
                await put(self._ctx, task, again, "node.restore", "a restore was asked for")
        why = reason or "a restore was asked for"
        await keep_why_back(self._ctx, name, why)
        await self._go_on(name, CampaignState.RESTORING, why)
        return await row_of(self._ctx, name)

    async def pause(self, row: CampaignRow, reason: str) -> CampaignRow:
        """No step of the way back begins any more; those under way end."""
        check(row.name, row.state, CampaignState.ROLLBACK_PAUSED)
        why = reason or by_a_person(self._ctx, "paused")
        await change(self._ctx, row.name, (CampaignState.ROLLING_BACK,), CampaignState.ROLLBACK_PAUSED, None, why)
        return await row_of(self._ctx, row.name)

    async def resume(self, row: CampaignRow) -> CampaignRow:
        """Let the way back go on."""
        if row.state is not CampaignState.ROLLBACK_PAUSED and not held_by_host(row):
            raise _not_now(row)
        if row.code == Code.UPG_LOCK.value:
            await require(self._ctx, row.name)
        if row.code == Code.PLN_OUTAGE.value:
            await self._ctx.store.tasks.remember(row.name, NO_OUTAGE, value=False)  # as the reason says that was shown
        await take_off_ended(self._ctx)
        if row.code == Code.UPG_NOT_DRIVEN.value:
            await begin_back(self._ctx, row.name)
        await self._go_on(row.name, CampaignState.ROLLING_BACK)
        return await row_of(self._ctx, row.name)

    async def retry(self, row: CampaignRow, task: NodeTask) -> NodeTask:
        """Give a node that was not rolled back another turn; a failed rollback goes on.

        Where it failed before it was planned, no node has a turn yet, and whichever is named, it is planned for all of them.
        """
        if row.state is CampaignState.ROLLBACK_FAILED and not back(await self._ctx.store.tasks.list(row.name, ladders=False)):
            await self._go_on(row.name, CampaignState.ROLLING_BACK)
            return task
        _of_the_way_back(row, task)
        if task.state not in (TaskState.PENDING, TaskState.SKIPPED, TaskState.FAILED):
            remedy = "Only a node that failed or was skipped can be tried again."
            raise ConflictError(Code.UPG_STATE, f"Node {task.node} is {task.state.value}.", remedy=remedy)
        again = task
        if task.state is not TaskState.PENDING:
            again = _again(task, TaskKind.ROLLBACK, self._ctx.clock.now())
            await put(self._ctx, task, again, "node.retry", "another attempt was asked for")
        known = await self._given_up(row.name)
        await self._ctx.store.tasks.remember(row.name, GIVEN_UP, sorted(known - {task.node}))
        await self._ctx.store.tasks.remember(row.name, FOLLOWED, None)
        await self._if_failed(row)
        return again

    async def skip(self, row: CampaignRow, task: NodeTask, reason: str = "") -> NodeTask:
        """Leave a node as it is; a failed rollback goes on without it."""
        _of_the_way_back(row, task)
        if task.state not in (TaskState.PENDING, TaskState.FAILED, TaskState.SKIPPED):
            remedy = "Only a node that waits, or was not rolled back, can be left."
            raise ConflictError(Code.UPG_STATE, f"Node {task.node} is {task.state.value}.", remedy=remedy)
        put_back = not await take_off(self._ctx, row.name, task.node)
        known = await self._given_up(row.name)
        await self._ctx.store.tasks.remember(row.name, GIVEN_UP, sorted(known | {task.node}))
        said = by_a_person(self._ctx, "left as it is", reason)
        message = said if task.code == Code.UPG_SKIPPED.value or not task.message else f"{said}; {task.message}"
        code, now = Code.UPG_SKIPPED.value, self._ctx.clock.now()
        skipped = replace(task, state=TaskState.SKIPPED, code=code, message=message, updated_at=now)
        try:
            await put(self._ctx, task, skipped, "node.skip", said, leave=put_back)
        except ConflictError:
            await self._ctx.store.tasks.remember(row.name, GIVEN_UP, sorted(known))
            raise
        await self._if_failed(row)
        return skipped

    async def _may(self, name: str, states: Sequence[CampaignState] = ASKED_IN) -> CampaignRow:
        row = await row_of(self._ctx, name)
        if row.state not in states:
            raise _not_now(row)
        campaign = await self._ctx.book.campaign(name)
        driver = campaign.spec.node.driver
        system = self._ctx.systems.get(driver)
        release = await self._ctx.book.release(campaign.spec.release or "")
        if system is None or "rollback" not in system.capabilities(release):
            message = f"Driver {driver} cannot put old software back on the nodes of campaign {name}."
            raise ConditionsError(
                Code.SYS_UNSUPPORTED, message, remedy="Configure a way back for it, or repair the nodes by hand."
            )
        changed = await changed_by(self._ctx, name)
        if not changed and row.state in OVER:
            raise ConflictError(
                Code.UPG_NOTHING_BACK, f"Campaign {name} has changed no node.", remedy=f"escalator campaign commit {name}"
            )
        found = await later(self._ctx, row, changed)
        if found:
            raise _changed_since(name, found)
        await refuse_while_restoring(self._ctx)
        return row

    async def _refuse_outage(self, name: str, *, outside_windows: bool) -> None:
        """What was accepted for the way there was for one stop of each instance: the way back is another."""
        if (await self._ctx.book.campaign(name)).spec.mode == "smooth":
            return
        made = await planned_back(self._ctx, name, TaskKind.ROLLBACK, outside_windows=outside_windows)
        said = outage_of(made.plan)
        if said is not None:
            remedy = f"escalator campaign rollback {name} --accept-outage, or make room first"
            raise ConditionsError(Code.PLN_OUTAGE, said, remedy=remedy)

    async def _once_more(self, name: str) -> None:
        """Nodes that an earlier way back left in doubt have a turn in this one."""
        for task in back(await self._ctx.store.tasks.list(name, ladders=False)):
            if task.state in (TaskState.FAILED, TaskState.SKIPPED):
                again = _again(task, TaskKind.ROLLBACK, self._ctx.clock.now())
                await put(self._ctx, task, again, "node.retry", "the campaign is rolled back again")

    async def _given_up(self, name: str) -> set[str]:
        return set((await self._ctx.store.tasks.memo(name)).get(GIVEN_UP) or ())

    async def _if_failed(self, row: CampaignRow) -> None:
        if row.state is CampaignState.ROLLBACK_FAILED:
            await accept(self._ctx, row.name)
            await go_on(self._ctx, row.name, row.state, CampaignState.ROLLING_BACK)
        self._ctx.signals.wake(row.name)

    async def _go_on(self, name: str, target: CampaignState, asked: str = "") -> None:
        """From a rest: what a person has seen is accepted, and another plan is due."""
        row = await row_of(self._ctx, name)
        await self._ctx.store.tasks.remember(name, FOLLOWED, None)
        await accept(self._ctx, name)
        if asked:
            await change(self._ctx, name, (row.state,), target, None, asked)
        else:
            await go_on(self._ctx, name, row.state, target)
        await wake_held(self._ctx, name)


def next_back(row: CampaignRow, tasks: Sequence[NodeTask]) -> list[str]:
    """Commands that make sense on the way back, or before it begins or is given up."""
    name = row.name
    match row.state:
        case CampaignState.COMPLETED | CampaignState.ABORTED:
            verbs = (*(("rollback",) if any_changed(tasks) else ()), "commit")
            return [f"escalator campaign {verb} {name}" for verb in verbs]
        case CampaignState.ROLLING_BACK:
            verbs = (*(("resume",) if held_by_host(row) else ()), "pause", *_call_off(tasks))
            return [*thaw_verbs(row), *(f"escalator campaign {verb} {name}" for verb in verbs)]
        case CampaignState.RESTORING:
            return thaw_verbs(row)
        case CampaignState.ROLLBACK_PAUSED:
            return [f"escalator campaign {verb} {name}" for verb in ("resume", *_call_off(tasks))]
        case CampaignState.ROLLBACK_FAILED:
            turns = back(tasks)
            left = [
                task.node
                for task in turns
                if task.state in (TaskState.FAILED, TaskState.SKIPPED) and task.code != Code.UPG_SKIPPED.value  # decided already
            ]
            # Where no turn has failed, it could not be planned or begun: one retry is enough for all nodes that wait.
            waiting = [task.node for task in turns if task.state is TaskState.PENDING] if turns else [t.node for t in tasks]
            again = [] if left else [f"escalator node retry {name} {node}" for node in waiting[:1]]
            off = [f"escalator campaign {verb} {name}" for verb in _call_off(tasks)]
            return [*node_verbs(name, left, SHOWN), *again, f"escalator campaign restore {name}", *off]
        case _:
            return []


def _call_off(tasks: Sequence[NodeTask]) -> tuple[str, ...]:
    """What calls the way back off, as long as no node has begun to go back."""
    return () if any(task.state in BEGUN_IN for task in back(tasks)) else ("abort",)


def thaw_verbs(row: CampaignRow) -> list[str]:
    """What lets a campaign go on that waits for the end of a freeze."""
    return ["escalator freeze end"] if row.reason.startswith(FROZEN) else []


def _again(task: NodeTask, kind: TaskKind, now: float) -> NodeTask:
    return NodeTask(campaign=task.campaign, node=task.node, attempt=task.attempt + 1, wave=task.wave, kind=kind, updated_at=now)


def _of_the_way_back(row: CampaignRow, task: NodeTask) -> None:
    if row.state not in NODES_IN:
        raise _not_now(row)
    if task.kind is TaskKind.UPGRADE:
        raise NotFoundError(
            Code.UPG_NOT_FOUND, f"Node {task.node} has no turn on the way back: campaign {row.name} left it as it was."
        )


def _not_now(row: CampaignRow) -> ConflictError:
    verbs = ", ".join(VERBS.get(row.state, ())) or "nothing more"
    message = f"Campaign {row.name} is {row.state.value}."
    return ConflictError(Code.UPG_STATE, message, remedy=f"Possible now: {verbs}.", facts={"state": row.state.value})


def _under_way(row: CampaignRow, nodes: Sequence[str]) -> ConflictError:
    """The refusal to call off what has begun."""
    said = ", ".join(nodes[:SHOWN]) + (f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else "")
    message = f"Campaign {row.name} is {row.state.value}, and has begun to take nodes back: {said}."
    hold = f"escalator campaign pause {row.name} holds it; " if row.state is CampaignState.ROLLING_BACK else ""
    remedy = f"{hold}escalator node skip {row.name} NODE leaves a node that waits, or was not rolled back, as it is"
    return ConflictError(Code.UPG_STATE, message, remedy=remedy, facts={"state": row.state.value, "nodes": [*nodes]})


def _changed_since(name: str, found: Sequence[tuple[CampaignRow, Sequence[str]]]) -> ConflictError:
    """The refusal of going back behind what later campaigns did."""
    last, nodes = found[0]
    more = f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else ""
    message = f"Nodes {', '.join(nodes[:SHOWN])}{more} were changed by campaign {last.name} after campaign {name}."
    if last.state is CampaignState.COMMITTED:
        remedy = f"Campaign {last.name} is committed: there is no way back behind it."
    elif last.state in BACK:
        remedy = f"Campaign {last.name} is on its way back: let it end first."
    else:
        remedy = f"First: escalator campaign rollback {last.name}"
    facts = {"campaigns": [row.name for row, _ in found], "nodes": list(nodes)}
    return ConflictError(Code.UPG_LATER, message, remedy=remedy, facts=facts)
