"""The use cases that API, CLI and web pages call. Each checks, changes what is stored, and wakes the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from escalator.allocation import give_back
from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConditionsError, ConflictError, NotFoundError
from escalator.model.hold import HELD
from escalator.model.inventory import Inventory
from escalator.model.plan import Condition, Plan
from escalator.model.progress import CampaignState, Event, NodeTask, TaskState
from escalator.storage.port import CampaignRow, PlanRow
from escalator.upgrade_manager.drafts import NOT_STARTED, checked
from escalator.upgrade_manager.drift import compare
from escalator.upgrade_manager.engine import exclusive, no_return, observed, staging
from escalator.upgrade_manager.engine.at_hand import require_at_hand, with_lacks
from escalator.upgrade_manager.engine.board import FAILURES
from escalator.upgrade_manager.engine.brought import marked
from escalator.upgrade_manager.engine.by_hand import take_off, take_off_ended
from escalator.upgrade_manager.engine.changes import change
from escalator.upgrade_manager.engine.compatible import fitted, require_fit
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.drivers import require_driver
from escalator.upgrade_manager.engine.failures import held_by_host
from escalator.upgrade_manager.engine.gates import approval_verbs, require_gates, take_back
from escalator.upgrade_manager.engine.launching import drive_if_not, drive_on, launch
from escalator.upgrade_manager.engine.leases import require_locks
from escalator.upgrade_manager.engine.named import require_commands
from escalator.upgrade_manager.engine.owners import require_owners, unreached_verbs
from escalator.upgrade_manager.engine.people import (
    accept,
    by_a_person,
    known,
    leave_out,
    put,
    refuse_late,
    row_of,
    wake_held,
)
from escalator.upgrade_manager.engine.replan import APPROVED, LEFT_OUT, STATES, Replan, keep, replanned
from escalator.upgrade_manager.engine.restore import refuse_while_restoring
from escalator.upgrade_manager.engine.states import BACK, ENDED, check
from escalator.upgrade_manager.holding import as_shown, unhold_verbs
from escalator.upgrade_manager.moment import at_one_moment
from escalator.upgrade_manager.node_verbs import any_changed, left_by, no_further_turn, node_verbs
from escalator.upgrade_manager.planner.nights import require_window
from escalator.upgrade_manager.releases import require_usable
from escalator.upgrade_manager.remaining import eta_s
from escalator.upgrade_manager.rollback import RollbackService, next_back, thaw_verbs
from escalator.upgrade_manager.tries import tries_of
from escalator.vim_interface.port import Reachability


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign with its nodes and its progress, for people."""

    row: CampaignRow
    tasks: Sequence[NodeTask]
    done: int
    total: int
    eta_s: float | None
    """Seconds until the last node is through, as far as can be told; null when nothing runs or nothing is known."""
    next: Sequence[str]
    """What a person can do next."""
    tries: Mapping[str, int]
    """By node, which try of its kind its turn is."""


class CampaignService:
    """Everything that people ask of campaigns, plans and nodes."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.back = RollbackService(ctx)

    async def create(self, document: str | bytes) -> CampaignRow:
        """Store a campaign document. Raises InputError with all problems, ConflictError when the name is taken."""
        row = await checked(self._ctx, document)
        await self._ctx.store.campaigns.add(row)
        await self._tell(row.name, "campaign.create", "created")
        return row

    async def plan(self, name: str) -> Plan:
        """Collect the inventory, plan, store the plan with its report; the plan becomes the campaign's.

        Raises ConditionsError when the release may not be used: it has expired, or too few trusted keys have signed it.
        """
        row = await self._row(name)
        check(name, row.state, CampaignState.PLANNED)
        campaign = await self._ctx.book.campaign(name)
        await require_usable(self._ctx, campaign)
        require_driver(self._ctx, campaign)
        require_commands(self._ctx, campaign)
        require_gates(self._ctx, campaign)
        require_locks(self._ctx.leases, campaign)
        require_window(campaign.spec, self._ctx.clock.now())
        inventory = await marked(self._ctx, campaign, await observed.inventory(self._ctx, campaign.spec.migration))
        plan = await self._made(campaign, inventory, row.plan)
        if (await self._row(name)).created_at != row.created_at:
            remedy = f"escalator campaign plan {name}"
            raise ConflictError(Code.UPG_STATE, f"Campaign {name} was edited while it was planned.", remedy=remedy)
        if row.plan is not None:
            await take_back(self._ctx, name, f"plan {plan.id} comes after it")
        stored = await self._store(name, plan, inventory, NOT_STARTED)
        give_back()
        return stored

    async def start(
        self,
        name: str,
        plan_id: str | None = None,
        *,
        accept_drift: bool = False,
        accept_outage: bool = False,
        past_no_return: str = "",
    ) -> CampaignRow:
        """Start by the given plan, or the campaign's own; `past_no_return` is who accepts its point of no return beforehand.

        Raises ConditionsError when the plan is not smooth (beyond an outage that is accepted), the release is missing, may
        not be used or does not go upon what the nodes run, the cloud changed since the plan beyond what was approved, or VNF
        managers do not answer for which policy would pause; ConflictError when another campaign runs on this cloud, or a node
        is being restored.
        """
        row = await self._row(name)
        check(name, row.state, CampaignState.RUNNING)
        if row.state is not CampaignState.PLANNED:
            raise ConflictError(Code.UPG_STATE, f"Campaign {name} has run already.", remedy="Use resume.")
        plan_id = plan_id or row.plan
        if plan_id is None:
            raise ConflictError(Code.UPG_NO_PLAN, f"Campaign {name} has no plan.", remedy=f"escalator campaign plan {name}")
        plan, planned_on = await self._ctx.book.plan(plan_id)
        stored = await self._ctx.store.campaigns.get_plan(plan_id)
        if stored is None or stored.campaign != name:
            raise NotFoundError(
                Code.UPG_NOT_FOUND, f"Plan {plan_id} is no plan of campaign {name}.", remedy=f"escalator campaign show {name}"
            )
        accepted = frozenset((Code.PLN_OUTAGE.value,) if accept_outage else ())
        _startable(name, await self._ctx.book.campaign(name), plan, accepted)
        require_window((await self._ctx.book.campaign(name)).spec, self._ctx.clock.now())
        await refuse_while_restoring(self._ctx)
        require_driver(self._ctx, await self._ctx.book.campaign(name))
        await require_usable(self._ctx, await self._ctx.book.campaign(name))
        # What a person put back after an earlier campaign no longer counts against its groups.
        await take_off_ended(self._ctx)
        plan = await self._current(name, plan, planned_on, accepted, accept_drift=accept_drift)
        await require_owners(self._ctx, await self._ctx.book.campaign(name), *await self._ctx.book.plan(plan.id))
        campaign, inventory = await self._ctx.book.campaign(name), (await self._ctx.book.plan(plan.id))[1]
        await require_fit(self._ctx, campaign, inventory)
        require_at_hand(self._ctx, campaign, inventory, plan)
        return await self._launch(name, plan, past_no_return)

    async def pause(self, name: str, reason: str = "") -> CampaignRow:
        """No step begins any more; those under way end. Holds over a restart."""
        row = await self._row(name)
        if row.state in BACK:
            return await self.back.pause(row, reason)
        check(name, row.state, CampaignState.PAUSED)
        await change(
            self._ctx, name, (CampaignState.RUNNING,), CampaignState.PAUSED, None, reason or by_a_person(self._ctx, "paused")
        )
        return await self._row(name)

    async def resume(self, name: str, *, past_no_return: str = "") -> CampaignRow:
        """Go on. What failed so far, hosts that are down now, and nodes without a turn are accepted by this.

        A running campaign that begins nothing because a host failed goes on by it, too.

        A point of no return is accepted by name only: `past_no_return` is who does it. Raises ConditionsError without.
        """
        row = await self._row(name)
        if row.state in BACK:
            return await self.back.resume(row)
        if row.state not in (CampaignState.PAUSED, CampaignState.SUSPENDED) and not held_by_host(row):
            check(name, row.state, CampaignState.PAUSED if row.state is CampaignState.RUNNING else CampaignState.RUNNING)
            raise ConflictError(Code.UPG_STATE, f"Campaign {name} is {row.state.value}; there is nothing to resume.")
        if row.code == Code.PLN_NO_RETURN.value and not past_no_return:
            raise no_return.not_accepted(name, row.reason)
        # First who drives it: that gives back the keys of one that does not go on after all.
        await drive_on(self._ctx, name)
        await exclusive.require(self._ctx, name)
        if past_no_return:
            await no_return.accept(self._ctx, name, past_no_return)
        await take_off_ended(self._ctx)
        await self._accept(name)
        if row.code == Code.UPG_NO_TURN.value:
            await self._give_up(name)
        await change(self._ctx, name, (row.state,), CampaignState.RUNNING, None, "")
        await self._wake_held(name)
        return await self._row(name)

    async def abort(self, name: str, reason: str = "") -> CampaignRow:
        """Start nothing more, put back the nodes that are not changed yet, let the others end; or call a way back off.

        Raises ConflictError when its state does not allow that, and when a node has begun to go back.
        """
        row = await self._row(name)
        if row.state in BACK:
            return await self.back.call_off(row, reason)
        check(name, row.state, CampaignState.ABORTING)
        await drive_if_not(self._ctx, row)
        expected = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SUSPENDED)
        await change(self._ctx, name, expected, CampaignState.ABORTING, None, by_a_person(self._ctx, "aborted", reason))
        await self._wake_held(name)
        return await self._row(name)

    async def replan(self, name: str, *, accept_drift: bool = False, dry_run: bool = False) -> Replan:
        """Plan the rest of a running campaign anew and follow that plan; what is under way is not touched.

        Raises ConditionsError when it goes beyond what was approved and that is not accepted, ConflictError when the
        campaign does not run or no node waits. With `dry_run` nothing is changed, whatever it would do.
        """
        row = await self._row(name)
        if row.state not in STATES:
            raise ConflictError(
                Code.UPG_STATE, f"Campaign {name} is {row.state.value}.", remedy=f"escalator campaign plan {name}"
            )
        made = await replanned(self._ctx, name)
        if made is None:
            raise ConflictError(Code.UPG_STATE, f"No node of campaign {name} waits for its turn: there is nothing to plan.")
        if dry_run or not made.lines:
            return made
        if made.beyond and not accept_drift:
            raise _drifted(made.lines, made.beyond)
        if accept_drift:
            await self._ctx.store.tasks.remember(name, APPROVED, made.plan.id)
        await keep(self._ctx, name, made, "as a person asked")
        return made

    async def show(self, name: str) -> CampaignView:
        """The campaign with its nodes, progress, and what can be done next."""
        row, turns = await at_one_moment(self._ctx.store, await self._row(name))
        held = {hold.node: hold for hold in await self._ctx.store.holds.list()}
        tasks = [as_shown(task, held) for task in turns]
        done = sum(task.state in ENDED for task in tasks)
        stopped = [task.node for task in tasks if task.node in held and task.state not in ENDED]
        unreached = await unreached_verbs(self._ctx, row, tasks)
        verbs = [*unreached, *unhold_verbs(row.state, stopped), *(await self._refused(row) or next_verbs(row, tasks))]
        tries = await tries_of(self._ctx.store.tasks, name, tasks)
        return CampaignView(row, tasks, done, len(tasks), await eta_s(self._ctx, row, tasks), verbs, tries)

    async def list(self) -> Sequence[CampaignRow]:
        """All campaigns."""
        return await self._ctx.store.campaigns.list()

    async def retry(self, campaign: str, node: str) -> NodeTask:
        """Give a node that failed or was skipped another turn; a suspended campaign goes on."""
        row = await self._row(campaign)
        if row.state in BACK:
            return await self.back.retry(row, await self._task(campaign, node))
        task = await self._ended_task(campaign, node)
        again = NodeTask(campaign=campaign, node=node, attempt=task.attempt + 1, wave=task.wave, updated_at=self._ctx.clock.now())
        await self._keep_in(campaign, node)
        await put(self._ctx, task, again, "node.retry", "another attempt was asked for")
        await refuse_late(self._ctx, campaign, task, again)
        await self._go_on(campaign)
        return again

    async def skip(self, campaign: str, node: str, reason: str = "") -> NodeTask:
        """Leave a node out: one that waits for its turn, or one that failed. A suspended campaign goes on."""
        task = await self._task(campaign, node)
        row = await self._row(campaign)
        if row.state in BACK:
            return await self.back.skip(row, task, reason)
        if task.state not in (TaskState.PENDING, *FAILURES):
            raise ConflictError(
                Code.UPG_STATE, f"Node {node} is {task.state.value}.", remedy="Only a pending or failed node can be skipped."
            )
        put_back = not await take_off(self._ctx, campaign, node)
        # Of a node that only waited, it is the person's word that counts from now on, not what it waited for.
        code = task.code if task.state in FAILURES else ""
        said = by_a_person(self._ctx, "left out", reason)
        failed = f"; {task.message}" if code and task.message else ""
        code = code or Code.UPG_SKIPPED.value
        now = self._ctx.clock.now()
        skipped = replace(task, state=TaskState.SKIPPED, code=code, message=said + failed, updated_at=now)
        await leave_out(self._ctx, task, skipped, said, leave=put_back)
        await self._go_on(campaign)
        return skipped

    # -- inside

    async def _row(self, name: str) -> CampaignRow:
        return await row_of(self._ctx, name)

    async def _task(self, campaign: str, node: str) -> NodeTask:
        await self._row(campaign)
        task = await self._ctx.store.tasks.get(campaign, node)
        if task is None:
            raise NotFoundError(
                Code.UPG_NOT_FOUND, f"Campaign {campaign} has no node {node!r}.", remedy=f"escalator campaign show {campaign}"
            )
        return task

    async def _ended_task(self, campaign: str, node: str) -> NodeTask:
        row, task = await self._row(campaign), await self._task(campaign, node)
        if row.state not in (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SUSPENDED):
            raise no_further_turn(row)
        if task.state not in (TaskState.SKIPPED, *FAILURES):
            raise ConflictError(
                Code.UPG_STATE,
                f"Node {node} is {task.state.value}.",
                remedy="Only a node that failed or was skipped can be tried again.",
            )
        return task

    async def _made(self, campaign: Campaign, inventory: Inventory, parent: str | None) -> Plan:
        """A plan from the beginning, with what is known of the release."""
        brings = await self._ctx.book.brings(campaign)
        plan = await self._ctx.planning.plan(campaign, inventory, self._ctx.clock.now(), parent, brings=brings)
        plan = with_lacks(self._ctx, campaign, inventory, plan)
        return await fitted(self._ctx, campaign, inventory, plan)

    async def _store(self, name: str, plan: Plan, inventory: Inventory, expected: Sequence[CampaignState]) -> Plan:
        row = PlanRow(
            id=plan.id,
            campaign=name,
            parent=plan.parent,
            digest=plan.digest,
            document=plan.model_dump_json(by_alias=True),
            inventory=inventory.model_dump_json(by_alias=True, exclude_defaults=True),
            created_at=self._ctx.clock.now(),
        )
        await self._ctx.store.campaigns.add_plan(row)
        self._ctx.book.add(plan, inventory)
        word = "smooth" if plan.smooth else "not smooth"
        event = self._event(name, "campaign.plan", "planned", f"plan {plan.id}: {counted(plan.totals.nodes, 'node')}, {word}")
        await self._ctx.store.campaigns.change(name, expected, (event,), state=CampaignState.PLANNED, plan=plan.id)
        return plan

    async def _refused(self, row: CampaignRow) -> Sequence[str]:
        """What to do instead of a start that would be refused, as the plan is not smooth; nothing where it is."""
        if row.state is not CampaignState.PLANNED or row.plan is None:
            return []
        campaign = await self._ctx.book.campaign(row.name)
        failing = _failing(campaign, (await self._ctx.book.plan(row.plan))[0], frozenset())
        if not failing:
            return []
        outage = campaign.spec.mode == "non-smooth" and all(c.code == Code.PLN_OUTAGE.value for c in failing)
        start = [f"escalator campaign start {row.name} --accept-outage"] if outage else []
        return [*start, f"escalator campaign plan {row.name}"]

    async def _current(
        self, name: str, plan: Plan, planned_on: Inventory, accepted: frozenset[str], *, accept_drift: bool
    ) -> Plan:
        """The plan itself when the cloud is as it was; else a child of it, when that stays inside what was approved."""
        campaign = await self._ctx.book.campaign(name)
        now = await marked(self._ctx, campaign, await observed.inventory(self._ctx, campaign.spec.migration))
        drift = compare(planned_on, now)
        if drift.empty:
            return plan
        child = await self._made(campaign, now, plan.id)
        beyond = drift.beyond(plan, planned_on, child, now)
        if beyond and not accept_drift:
            raise _drifted(drift.lines, beyond)
        _startable(name, campaign, child, accepted)
        await self._tell(name, "campaign.drift", "accepted", "; ".join(drift.lines[:20]))
        return await self._store(name, child, now, (CampaignState.PLANNED,))

    async def _launch(self, name: str, plan: Plan, past_no_return: str) -> CampaignRow:
        identity = await self._ctx.cloud.identity()
        now = self._ctx.clock.now()
        tasks = await self._tasks(name, plan, now)
        events = [self._event(name, "campaign.start", "running", f"plan {plan.id}, {counted(plan.totals.nodes, 'node')}")]
        # What a person accepts goes with the start: one that is refused accepts nothing, neither later nor for one that runs.
        memo: dict[str, object] = {APPROVED: plan.id, **known((), await self._ctx.cloud.unavailable())}
        if past_no_return:
            memo[no_return.ACCEPTED], said = no_return.acceptance(name, past_no_return, now)
            events.insert(0, replace(said, by=self._ctx.by))
        changes = {"state": CampaignState.RUNNING, "cloud": identity.id, "plan": plan.id, "started_at": now}
        row = await self._ctx.store.campaigns.start(name, tasks, events, memo, **changes)
        await launch(self._ctx, name)
        if plan.upgrades:
            await staging.begin_ahead(self._ctx, name, await self._ctx.book.campaign(name))
        return row

    async def _tasks(self, name: str, plan: Plan, now: float) -> Sequence[NodeTask]:
        """The campaign's nodes: those that have a turn, and those for which VNFs are asked to make room."""
        tasks = [NodeTask(campaign=name, node=upgrade.node, wave=upgrade.wave, updated_at=now) for upgrade in plan.upgrades]
        if (await self._ctx.book.campaign(name)).spec.workloads.scale_in == "ask":
            _, inventory = await self._ctx.book.plan(plan.id)
            fit = {n.id for n in inventory.nodes if n.state == "up" and not n.maintenance and n.progress == "old"}
            code = Code.UPG_NO_TURN.value
            tasks += [
                NodeTask(campaign=name, node=left.node, wave=0, code=code, message=left.reason, updated_at=now)
                for left in plan.totals.not_upgraded
                if left.node in fit and not left.reason.startswith(HELD)
            ]
        return tasks

    async def _accept(self, name: str) -> None:
        await accept(self._ctx, name)

    async def _give_up(self, name: str) -> None:
        """Nodes without a turn are left out, unless the next plan has one for them."""
        tasks = await self._ctx.store.tasks.list(name, ladders=False)
        stranded = {t.node for t in tasks if t.state is TaskState.PENDING and t.code == Code.UPG_NO_TURN.value}
        known = (await self._ctx.store.tasks.memo(name)).get(LEFT_OUT) or ()
        await self._ctx.store.tasks.remember(name, LEFT_OUT, sorted(stranded.union(known)))

    async def _keep_in(self, name: str, node: str) -> None:
        """A node that was given up is wanted again."""
        known = (await self._ctx.store.tasks.memo(name)).get(LEFT_OUT) or ()
        if node in known:
            await self._ctx.store.tasks.remember(name, LEFT_OUT, [other for other in known if other != node])

    async def _go_on(self, campaign: str) -> None:
        row = await self._row(campaign)
        if row.state is CampaignState.SUSPENDED:
            await drive_if_not(self._ctx, row)
            await self._accept(campaign)
            await change(self._ctx, campaign, (CampaignState.SUSPENDED,), CampaignState.RUNNING, None, "")
        self._ctx.signals.wake(campaign)

    async def _wake_held(self, name: str) -> None:
        await wake_held(self._ctx, name)

    def _event(self, name: str, action: str, outcome: str, message: str = "") -> Event:
        now = self._ctx.clock.now()
        return Event(at=now, action=action, campaign=name, object_id=name, outcome=outcome, message=message, by=self._ctx.by)

    async def _tell(self, name: str, action: str, outcome: str, message: str = "") -> None:
        await self._ctx.store.events.append((self._event(name, action, outcome, message),))


def next_verbs(row: CampaignRow, tasks: Sequence[NodeTask]) -> list[str]:
    """Commands that make sense for a person now."""
    name = row.name
    match row.state:
        case CampaignState.DRAFT:
            return [f"escalator campaign plan {name}"]
        case CampaignState.PLANNED:
            return [f"escalator campaign start {name}"]
        case CampaignState.RUNNING:
            verbs = (*(("resume",) if held_by_host(row) else ()), "pause", "abort")
            return [*thaw_verbs(row), *(f"escalator campaign {verb} {name}" for verb in verbs)]
        case CampaignState.PAUSED:
            verbs = ("resume", "abort", *(("rollback",) if any_changed(tasks) else ()))
            return [f"escalator campaign {verb} {name}" for verb in verbs]
        case CampaignState.SUSPENDED:
            held_first = sorted(tasks, key=lambda task: task.state is not TaskState.FAILED)
            nodes = node_verbs(name, [task.node for task in held_first if task.state in FAILURES], 3)
            yes = " --accept-point-of-no-return" if row.code == Code.PLN_NO_RETURN.value else ""
            # Whom the group was left by is tried again, not left out once more.
            nodes += [f"escalator node retry {name} {node}" for node in left_by(row, tasks)[:3]]
            verbs = (f"resume {name}{yes}", f"abort {name}", *((f"rollback {name}",) if any_changed(tasks) else ()))
            asked = approval_verbs(row)
            # Resumed, it would only ask again.
            return [*nodes, *asked, *(f"escalator campaign {verb}" for verb in (verbs[1:] if asked else verbs))]
        case _:
            return next_back(row, tasks)


def _failing(campaign: Campaign, plan: Plan, accepted: frozenset[str]) -> list[Condition]:
    """The conditions for which the plan may not be started by."""
    for_room = {Code.PLN_CAPACITY.value, Code.PLN_IMPOSSIBLE.value}
    mended = accepted | (for_room if campaign.spec.workloads.scale_in == "ask" else frozenset())
    return [c for c in plan.conditions if not c.ok and c.code not in mended]


def _startable(name: str, campaign: Campaign, plan: Plan, accepted: frozenset[str]) -> None:
    if campaign.spec.release is None:
        raise ConditionsError(Code.SYS_RELEASE_NOT_FOUND, f"Campaign {name} names no release.", remedy="Set spec.release.")
    failing = _failing(campaign, plan, accepted)
    if failing:
        raise ConditionsError(
            Code(failing[0].code),
            f"The plan is not smooth: {'; '.join(c.message for c in failing)}.",
            remedy="; ".join(c.remedy for c in failing),
        )


def _drifted(lines: Sequence[str], beyond: Sequence[str]) -> ConditionsError:
    error = ConditionsError(
        Code.UPG_DRIFT,
        f"The cloud changed beyond what was approved: {'; '.join(beyond)}. Changes: {'; '.join(lines[:20])}.",
        remedy="Plan again, or start with --accept-drift.",
        facts={"drift": list(lines), "beyond": list(beyond)},
    )
    error.exit_code = 4  # type: ignore[misc]  # a person decides: exit 4, not 3
    return error


def as_document(plan: Plan) -> Mapping[str, object]:
    """The plan as plain data, as its format says."""
    value: Mapping[str, object] = json.loads(plan.model_dump_json(by_alias=True))
    return value


__all__ = ["CampaignService", "CampaignView", "Reachability", "as_document", "next_verbs"]
