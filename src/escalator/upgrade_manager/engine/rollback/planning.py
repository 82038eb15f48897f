"""The plan for the way back: made from the cloud as it is, checked and stored as any other, laid out as turns of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.inventory import Inventory
from escalator.model.plan import Condition, NotUpgraded, Plan
from escalator.model.progress import CampaignState, Event, NodeTask, TaskKind, TaskState
from escalator.storage.port import CampaignRow, PlanRow
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.changed import Changed, changed_by
from escalator.upgrade_manager.engine.rollback.compared import PROVED
from escalator.upgrade_manager.engine.rollback.guests import NEWER
from escalator.upgrade_manager.engine.states import ENDED
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON
from escalator.upgrade_manager.engine.told import BEFORE, tell_windows
from escalator.upgrade_manager.engine.way_back import PASSED, why_not
from escalator.upgrade_manager.planner.backwards import Undoing, as_proved, backwards, newer, order_back, reported
from escalator.upgrade_manager.planner.impact import Brings
from escalator.upgrade_manager.planner.kinds import backwards as backwards_order

FOLLOWED = "plan_back"
"""Memo of a campaign: the plan for the way back that is followed; null when another one is due."""
GIVEN_UP = "left_back"
"""Memo of a campaign: nodes that a person has decided to leave as they are."""
NO_OUTAGE = "no_outage_back"
"""Memo of a campaign: whether a person has asked for the way back without accepting that instances are stopped on it."""
OUTSIDE_WINDOWS = "outside_windows_back"
"""Memo of a campaign: whether a person has said that its way back does not wait for maintenance windows."""
OUT_OF_SCOPE = "it is not in the campaign's scope any more"


@dataclass(frozen=True, slots=True)
class WayBack:
    """A plan for the way back, with the inventory that it was made from, and what it is to undo."""

    plan: Plan
    inventory: Inventory
    changed: Mapping[str, Changed]
    memos: Mapping[str, Mapping[str, object]]
    """What each node's turn has to know, by node."""


async def there(ctx: Context, row: CampaignRow) -> tuple[Plan, Inventory]:
    """The last plan of the way there. Raises NotFoundError when there is none."""
    plan_id = row.plan
    while plan_id is not None:
        plan, inventory = await ctx.book.plan(plan_id)
        if plan.purpose == "upgrade":
            return plan, inventory
        plan_id = plan.parent
    raise NotFoundError(Code.UPG_NO_PLAN, f"Campaign {row.name} has no plan.")


async def before(ctx: Context, row: CampaignRow) -> Mapping[str, Mapping[str, str]]:
    """What each node ran when the campaign began, layer by layer, as the cloud told."""
    plan, inventory = await there(ctx, row)
    while plan.at_s > 0 and plan.parent is not None:
        plan, inventory = await ctx.book.plan(plan.parent)
    return {node.id: node.versions for node in inventory.nodes}


async def planned_back(ctx: Context, name: str, kind: TaskKind, *, outside_windows: bool | None = None) -> WayBack:
    """Plan the way back of what is left of it. Raises TemporaryError when the cloud does not answer.

    `outside_windows`: whether it waits for no maintenance window; None = as it was asked for.
    """
    row = await ctx.store.campaigns.get(name)
    if row is None:
        raise NotFoundError(Code.UPG_NOT_FOUND, f"There is no campaign {name!r}.", remedy="escalator campaign list")
    campaign = await campaign_back(ctx, name, outside_windows=outside_windows)
    changed = await changed_by(ctx, name)
    brings, ran = await ctx.book.brings(campaign), await before(ctx, row)
    seen = await observed.inventory(ctx, campaign.spec.migration)
    now = as_proved(seen, await _proved(ctx, changed), ran, brings.layers)
    managed = frozenset(await ctx.vim.owners(now.instances))
    what = Undoing(
        nodes=[one.node for one in sorted(changed.values(), key=lambda one: (-one.at, one.node))],
        before=ran,
        held=await _held(ctx, name),
        left={**await _not_allowed(ctx, campaign, changed), **await _left(ctx, name, changed)},
        revived=frozenset(changed) if kind is TaskKind.RESTORE else (),
    )
    parent, _ = await there(ctx, row)
    marked = backwards(now, campaign, managed, what)
    # What its installation spares its removal spares; which versions come back is another matter.
    touches = Brings({}, brings.impact)
    made = await ctx.planning.plan(campaign, marked, ctx.clock.now(), row.plan, order_back(parent, what, now), touches)
    plan = reported(made, campaign, now, managed, what)
    known = {item.node for item in plan.totals.not_upgraded} | plan.upgrade_of.keys()
    missing = tuple(NotUpgraded(node=node, reason=OUT_OF_SCOPE) for node in sorted(changed.keys() - known))
    # Nodes that were never changed are where to go, not what is left out.
    left = tuple(item for item in plan.totals.not_upgraded if item.node in changed)
    totals = plan.totals.model_copy(update={"not_upgraded": (*left, *missing)})
    found = tuple(_scope_back(one, campaign, now, len(changed)) for one in plan.conditions)
    plan = plan.model_copy(update={"totals": totals, "purpose": kind.value, "conditions": found})
    memos = {
        node: {NEWER: newer(now.node_by_id[node], what.before.get(node, {})), BEFORE: dict(what.before.get(node, {}))}
        for node in changed
        if node in now.node_by_id
    }
    return WayBack(plan.sealed(made.id, row.plan), marked, changed, memos)


async def _proved(ctx: Context, changed: Mapping[str, Changed]) -> set[str]:
    """Nodes whose last upgrade was verified: they run what the release brings."""
    memos = {one.node: await ctx.store.tasks.memo(one.touched[-1]) for one in changed.values() if one.touched}
    return {node for node, memo in memos.items() if memo.get(PROVED)}


def _scope_back(found: Condition, campaign: Campaign, now: Inventory, changed: int) -> Condition:
    """A condition in words of the way back; of the scope: nodes that the campaign left as they were count as upgraded there."""
    # What is upgraded on the way there is taken back on this one.
    found = found.model_copy(update={"remedy": found.remedy.replace("already upgraded", "already taken back")})
    if found.code != Code.PLN_SCOPE.value or not found.ok:
        return found
    scope = sum(campaign.spec.scope.includes(node) for node in now.nodes)
    return found.model_copy(update={"message": f"{counted(scope, 'node')} in scope, {changed} of them changed by the campaign"})


async def campaign_back(ctx: Context, name: str, *, outside_windows: bool | None = None) -> Campaign:
    """The campaign as it goes back: its windows hold as before, unless a person has said that it does not wait for them.

    The dates between which it was to go there do not, nor do canaries, soak times and gates: what is left behind needs no trial.
    """
    campaign = await ctx.book.campaign(name)
    if outside_windows is None:
        outside_windows = bool((await ctx.store.tasks.memo(name)).get(OUTSIDE_WINDOWS))
    spec = campaign.spec.model_copy(
        update={
            "windows": () if outside_windows else campaign.spec.windows,
            "not_before": None,
            "not_after": None,
            "scope": campaign.spec.scope.model_copy(update={"groups": ()}),
            "waves": campaign.spec.waves.model_copy(update={"soak_s": 0.0}),
            "gates": type(campaign.spec.gates)(),
        }
    )
    return backwards_order(campaign.model_copy(update={"spec": spec}), await ctx.book.brings(campaign))


async def _held(ctx: Context, name: str) -> frozenset[str]:
    """Nodes that are out of service for our own reason. Of a campaign that was over only the sheet still knows them."""
    slots = {slot.node for slot in await ctx.store.admission.node_slots() if slot.campaign == name}
    return frozenset(slots | {row.node for row in await ctx.store.restorations.open(name) if row.kind == CORDON})


async def _left(ctx: Context, name: str, changed: Mapping[str, Changed]) -> dict[str, str]:
    """Nodes whose turn back has ended without bringing them back, or that a person leaves: they have none in this plan.

    Those for which an earlier plan had no turn may have one now.
    """
    given_up = set((await ctx.store.tasks.memo(name)).get(GIVEN_UP) or ())
    over = {
        task.node: task
        for task in back(await ctx.store.tasks.list(name, ladders=False))
        if task.state in ENDED and (task.code != Code.UPG_NO_WAY_BACK.value or task.node in given_up)
    }
    return {node: task.message or task.state.value for node, task in over.items() if node in changed}


async def _not_allowed(ctx: Context, campaign: Campaign, changed: Mapping[str, Changed]) -> dict[str, str]:
    """Nodes that the release does not let go back, or whose backup does not hold what that needs."""
    release = await ctx.book.release(campaign.spec.release or "")
    found = {}
    for one in changed.values():
        memos = [await ctx.store.tasks.memo(turn) for turn in one.touched]
        if not memos:
            continue
        passed = any(memo.get(PASSED) for memo in memos)
        scope = one.backup.get("scope") if one.backup else None
        why = why_not(release, {**memos[0], PASSED: passed}, scope)
        if why is not None:
            found[one.node] = f"it may not be taken back: {why}"
    return found


async def follow(ctx: Context, name: str, made: WayBack, kind: TaskKind) -> None:
    """Store the plan, give each node its turn by it, and follow it from now on. Done again after a crash, it is the same."""
    plan = made.plan
    await ctx.store.campaigns.add_plan(_row(ctx, name, made))
    ctx.book.add(plan, made.inventory)
    reasons = {item.node: item.reason for item in plan.totals.not_upgraded}
    for node in made.changed:
        task = await ctx.store.tasks.get(name, node)
        if task is not None and _wants_turn(task, plan):
            turn = _turn(ctx, task, kind)
            for key, value in made.memos.get(node, {}).items():
                await ctx.store.tasks.remember(turn.id, key, value)
            with suppress(ConflictError):  # it begins, or a person has decided about it, since it was read
                await _lay_out(ctx, task, turn, plan, reasons)
    now = ctx.clock.now()
    nodes, moves = counted(plan.totals.nodes, "node"), counted(plan.totals.moves, "move")
    message = f"plan {plan.id} for the way back: {nodes}, {moves}"
    if reasons:
        message += ", " + counted(len(reasons), "stays as it is", "stay as they are")
    event = Event(at=now, action="campaign.plan", campaign=name, object_id=name, outcome="planned", message=message)
    states = (CampaignState.ROLLING_BACK, CampaignState.RESTORING, CampaignState.ROLLBACK_PAUSED)
    await ctx.store.campaigns.change(name, states, (event,), plan=plan.id)
    await tell_windows(ctx, name, plan.id, (await campaign_back(ctx, name)).spec)
    await ctx.store.tasks.remember(name, FOLLOWED, plan.id)


def _wants_turn(task: NodeTask, plan: Plan) -> bool:
    """Whether the node's turn follows from this plan: it has had none yet, waits for it, or had no place in earlier plans."""
    if task.kind is TaskKind.UPGRADE or task.state is TaskState.PENDING:
        return True
    return task.code == Code.UPG_NO_WAY_BACK.value and task.node in plan.upgrade_of


def _turn(ctx: Context, task: NodeTask, kind: TaskKind) -> NodeTask:
    """The node's turn back: a new one after its upgrade or after one that never began, else the one that waits."""
    attempt = task.attempt + (task.state in ENDED)
    return NodeTask(campaign=task.campaign, node=task.node, attempt=attempt, kind=kind, updated_at=ctx.clock.now())


async def _lay_out(ctx: Context, seen: NodeTask, turn: NodeTask, plan: Plan, reasons: Mapping[str, str]) -> None:
    """Give the turn its place in the plan; one without a place is over at once."""
    upgrade = plan.upgrade_of.get(turn.node)
    if upgrade is not None:
        await ctx.store.admission.put_instead(seen, replace(turn, wave=upgrade.wave))
        return
    reason = reasons.get(turn.node, OUT_OF_SCOPE)
    event = Event(
        at=turn.updated_at,
        action="node.end",
        campaign=turn.campaign,
        node=turn.node,
        object_id=turn.node,
        outcome=TaskState.SKIPPED.value,
        code=Code.UPG_NO_WAY_BACK.value,
        message=f"not rolled back: {reason}",
    )
    skipped = replace(turn, state=TaskState.SKIPPED, code=Code.UPG_NO_WAY_BACK.value, message=event.message)
    await ctx.store.admission.put_instead(seen, skipped, (event,))


def _row(ctx: Context, name: str, made: WayBack) -> PlanRow:
    return PlanRow(
        id=made.plan.id,
        campaign=name,
        parent=made.plan.parent,
        digest=made.plan.digest,
        document=made.plan.model_dump_json(by_alias=True),
        inventory=made.inventory.model_dump_json(by_alias=True, exclude_defaults=True),
        created_at=ctx.clock.now(),
    )


def back(tasks: Sequence[NodeTask]) -> list[NodeTask]:
    """Those of the turns that are on the way back."""
    return [task for task in tasks if task.kind is not TaskKind.UPGRADE]
