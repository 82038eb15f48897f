"""A new plan for the rest of a running campaign: made, compared with what was approved, and followed from then on.

What is under way goes on by the plan that it began with; only nodes that wait are planned anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import floor
from typing import Self

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConflictError, EscalatorError, NotFoundError, TemporaryError
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.model.progress import CampaignState, Event, NodeTask, TaskState
from escalator.storage.port import PlanRow
from escalator.upgrade_manager.drift import owning, touched
from escalator.upgrade_manager.engine.board import LOOKED, STRAYED, Board
from escalator.upgrade_manager.engine.changed_plan import KEPT, in_short, named
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.lost import is_lost
from escalator.upgrade_manager.engine.midway import midway
from escalator.upgrade_manager.engine.states import UNDER_WAY
from escalator.upgrade_manager.engine.told import tell_windows
from escalator.upgrade_manager.planner.difference import differences

STATES = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SUSPENDED)
"""States in which a campaign can get another plan for its rest."""
APPROVED, NEXT, LEFT_OUT, WHY = "approved", "next_plan", "left_out", "next_plan_why"
"""Memos of a campaign: the plan that a person approved last, the one that is to be followed from now on, the nodes without a
turn that a person has given up, and why the next plan was made."""
STRAYS_S, STRAYS_S_PER_NODE = 600.0, 0.6
"""How often the rest is planned anew at most because instances went elsewhere than planned, seconds: that follows upon most
failed migrations, and a plan of ten thousand nodes takes its time and its place in the database."""


@dataclass(frozen=True, slots=True)
class Replan:
    """A plan for the rest, how it differs from the one so far, what of it goes beyond what was approved, and what falls short."""

    plan: Plan
    inventory: Inventory
    lines: Sequence[str]
    beyond: Sequence[str]
    left: Sequence[str]
    """Nodes that were approved and have no turn in it: they wait, and a person is called when only such ones are left."""
    lost: Collection[str] = ()
    """Nodes without which it was made although they may still come back."""
    looked_at: float = 0.0
    """When the cloud was looked at, Unix seconds."""


async def replanned(ctx: Context, name: str) -> Replan | None:
    """Plan the rest from the cloud as it is now; None when no node waits. Raises TemporaryError without an answer."""
    row = await ctx.store.campaigns.get(name)
    if row is None or row.plan is None:
        raise NotFoundError(Code.UPG_NOT_FOUND, f"There is no campaign {name!r} with a plan.", remedy="escalator campaign list")
    campaign, looked_at = await ctx.book.campaign(name), ctx.clock.now()
    parent, _ = await ctx.book.plan(row.plan)
    now = await midway(ctx, row, campaign.spec, parent)
    if not any(task.state is TaskState.PENDING for task in now.tasks.values()):
        return None
    start = row.started_at if row.started_at is not None else ctx.clock.now()
    child = await ctx.planning.plan(campaign, now.inventory, start, parent.id, now.progress, await ctx.book.brings(campaign))
    memo = await ctx.store.tasks.memo(name)
    approved, before = await ctx.book.plan(str(memo.get(APPROVED) or row.plan))
    # Whoever lets VNFs be asked for room has approved of the turns that it is for.
    for_room = now.tasks.keys() if campaign.spec.workloads.scale_in == "ask" else ()
    scope = Approved.by(approved, before, for_room)
    found = _beyond(scope, child, now.inventory)
    found += _more_moves(scope, child, await _moved(ctx, name, now.inventory), campaign.spec.waves.max_extra_moves)
    if campaign.spec.mode == "non-smooth":
        found += _more_stops(approved, child)
    known = set(memo.get("known_down") or ()) | set(memo.get(LEFT_OUT) or ())
    left = sorted(approved.upgrade_of.keys() - child.upgrade_of.keys() - now.over - known)
    return Replan(child, now.inventory, differences(parent, child, now.over), found, left, now.lost, looked_at)


@dataclass(frozen=True, slots=True)
class Approved:
    """What a person has approved of."""

    nodes: frozenset[str]
    owners: frozenset[str]
    moving: frozenset[str]
    """Instances that may move."""
    moves: int
    more: int
    """Moves beyond one per instance."""

    @classmethod
    def by(cls, plan: Plan, inventory: Inventory, for_room: Collection[str]) -> Self:
        """By a plan, and for nodes that get their turns when there is room for what is on them."""
        there = [i for node in for_room if node not in plan.upgrade_of for i in inventory.instances_by_node.get(node, ())]
        known = {move.instance for move in plan.moves}
        return cls(
            nodes=frozenset((*plan.upgrade_of, *for_room)),
            owners=frozenset(touched(plan, inventory) | owning(there)),
            moving=frozenset(known.union(i.id for i in there)),
            moves=len(plan.moves) + len(there),
            more=len(plan.moves) - len(known),
        )


def _beyond(approved: Approved, child: Plan, now: Inventory) -> list[str]:
    """Nodes, projects and VNFs that the child touches and the approved plan does not."""
    found = []
    more = sorted(child.upgrade_of.keys() - approved.nodes)
    if more:
        found.append(f"nodes {', '.join(more)} would be upgraded too")
    owners = sorted(touched(child, now) - approved.owners)
    if owners:
        found.append(f"{', '.join(owners)} would be impacted too")
    return found


def _more_stops(approved: Plan, child: Plan) -> list[str]:
    """Instances that would be stopped and were not to be: an outage is accepted for those that were shown."""
    stopped, known = ({impact.instance for impact in plan.impacts if impact.kind == "stop-start"} for plan in (child, approved))
    new = sorted(stopped - known)
    return [f"{counted(len(new), 'instance')} would be stopped that were not to: {named(new)}"] if new else []


async def _moved(ctx: Context, name: str, inventory: Inventory) -> frozenset[str]:
    """Instances that the campaign has moved. A move that failed left its instance where it was."""
    impacts = [impact for impact in await ctx.store.admission.impacts(name) if impact.target and impact.ended_at is not None]
    here = {instance.id: instance.node for instance in inventory.instances}
    return frozenset(impact.instance for impact in impacts if here.get(impact.instance) not in (None, impact.node))


def _more_moves(approved: Approved, child: Plan, moved: frozenset[str], share: float) -> list[str]:
    """Whether instances move that were to stay, or more of them twice than the campaign allows or the approved plan did."""
    found = []
    leave = {move.instance for move in child.moves}
    new = leave - approved.moving
    if new:
        found.append(f"{counted(len(new), 'instance')} would move that were not to: {named(sorted(new))}")
    twice = len(child.moves) - len(leave - moved)
    allowed = max(floor(share * approved.moves), approved.more)
    if twice > allowed:
        found.append(f"{counted(twice, 'move')} would be made beyond one per instance, {counted(allowed, 'is', 'are')} allowed")
    return found


async def keep(ctx: Context, name: str, made: Replan, why: str) -> None:
    """Store the plan and make it the one to be followed next; the drive takes it up, and tells why."""
    await ctx.store.campaigns.add_plan(
        PlanRow(
            id=made.plan.id,
            campaign=name,
            parent=made.plan.parent,
            digest=made.plan.digest,
            document=made.plan.model_dump_json(by_alias=True),
            inventory=made.inventory.model_dump_json(by_alias=True, exclude_defaults=True),
            created_at=ctx.clock.now(),
        )
    )
    ctx.book.add(made.plan, made.inventory)
    # First the reason: from the next line on the drive may tell it.
    await ctx.store.tasks.remember(name, WHY, {"plan": made.plan.id, "why": why})
    await ctx.store.tasks.remember(name, NEXT, made.plan.id)
    await ctx.store.tasks.remember(name, LOOKED, made.looked_at)
    ctx.signals.wake(name)


async def take_up(ctx: Context, name: str) -> bool:
    """Follow the plan that is kept for it, if there is one; whether there was. Only the drive may: it starts the nodes."""
    memo = await ctx.store.tasks.memo(name)
    row = await ctx.store.campaigns.get(name)
    if row is None or memo.get(NEXT) in (None, row.plan) or row.state not in STATES:
        return False
    plan, _ = await ctx.book.plan(str(memo[NEXT]))
    parent, _ = await ctx.book.plan(str(row.plan))
    # Before it is followed: after a crash this comes again, and is the same news.
    await tell_windows(ctx, name, plan.id)
    now = ctx.clock.now()
    reasons = {item.node: item.reason for item in plan.totals.not_upgraded}
    tasks = {task.node: task for task in await ctx.store.tasks.list(name, ladders=False)}
    over = [node for node, task in tasks.items() if task.state not in (TaskState.PENDING, *UNDER_WAY) or is_lost(task)]
    looked_at = float(memo.get(LOOKED) or 0.0)
    for task in tasks.values():
        # One that was given another try while the plan was made is none that the plan says anything of.
        if task.state is TaskState.PENDING and (task.node in plan.upgrade_of or task.updated_at <= looked_at):
            await _settle(ctx, task, plan, reasons)
    for node in sorted(plan.upgrade_of.keys() - tasks.keys()):
        wave = plan.upgrade_of[node].wave
        await ctx.store.tasks.put(NodeTask(campaign=name, node=node, wave=wave, updated_at=now))
    told = memo.get(WHY) or {}
    why = str(told["why"]) if told.get("plan") == plan.id else ""
    event = _event(ctx, name, plan, why, differences(parent, plan, over))
    await ctx.store.campaigns.change(name, STATES, (event,), plan=plan.id)
    return True


async def _settle(ctx: Context, task: NodeTask, plan: Plan, reasons: dict[str, str]) -> None:
    """A node that waits gets its place in the plan; one without a turn goes on waiting, with the plan's reason."""
    upgrade = plan.upgrade_of.get(task.node)
    if upgrade is None:
        reason = reasons.get(task.node, "the plan does not hold it any more")
        after = replace(task, code=Code.UPG_NO_TURN.value, message=reason)
    else:
        again = replace(task, code="", message="") if task.code == Code.UPG_NO_TURN.value else task
        after = replace(again, wave=upgrade.wave)
    if after != task:
        with suppress(ConflictError):  # a person has left it out since it was read
            await ctx.store.admission.put_instead(task, replace(after, updated_at=ctx.clock.now()))


def _event(ctx: Context, name: str, plan: Plan, why: str, lines: Sequence[str]) -> Event:
    message = f"{why}: " * bool(why) + (in_short(lines) or "nothing else")
    return Event(
        at=ctx.clock.now(),
        action="campaign.replan",
        campaign=name,
        object_id=name,
        outcome="adopted",
        message=message,
        by=ctx.by,
        data={"plan": plan.id, "parent": plan.parent, "changes": list(lines[:KEPT])},
    )


async def note_strays(ctx: Context, name: str, board: Board) -> None:
    """Look from time to time whether instances went elsewhere than planned: what was planned upon that does not fit any more."""
    now = ctx.clock.now()
    if board.disturbed or not board.waits or now - board.stray_at < max(STRAYS_S, STRAYS_S_PER_NODE * len(board.tasks)):
        return
    since, board.stray_at = board.stray_at, now
    at = (await ctx.store.tasks.memo(name)).get(STRAYED)
    if at is not None and float(at) >= since:
        board.disturbed = "instances went elsewhere than planned"


async def repair(ctx: Context, name: str, why: str) -> bool:
    """Plan the rest anew because something happened; whether that plan is to be followed.

    It is when it stays within what was approved, also when it does less; else it is only told of.

    Raises TemporaryError when the cloud does not answer; a rest that cannot be planned goes on by the plan so far.
    """
    looked_at = ctx.clock.now()
    followed = await _repaired(ctx, name, why)
    if not followed:
        # After a crash before this it is planned once more; noted before, what went astray would be forgotten.
        await ctx.store.tasks.remember(name, LOOKED, looked_at)
    return followed


async def _repaired(ctx: Context, name: str, why: str) -> bool:
    try:
        made = await replanned(ctx, name)
    except TemporaryError:
        raise
    except EscalatorError as error:
        await _tell(ctx, name, error.code, f"after {why}: the plan so far is followed on: {error.message}")
        return False
    if made is None:
        return False
    if not made.lines:
        await _tell_why(ctx, name, made.plan)
        return False
    if made.beyond:
        said = f"after {why}: the plan so far is followed on; another one goes beyond what was approved: {'; '.join(made.beyond)}"
        await _tell(ctx, name, Code.UPG_DRIFT, f"{said}; see escalator campaign replan {name} --dry-run")
        return False
    if made.lost and made.left:
        # Who has no turn while the node is away has one when it is back; if it fails, the rest is planned again.
        said = f"without {', '.join(sorted(made.lost))} {counted(len(made.left), 'node')} could not go"
        await _tell(ctx, name, Code.UPG_LOST, f"after {why}: the plan so far is followed on; {said}")
        return False
    await keep(ctx, name, made, f"after {why}")
    return True


async def _tell_why(ctx: Context, name: str, plan: Plan) -> None:
    """Nodes without a turn wait for what they wait for now."""
    reasons = {item.node: item.reason for item in plan.totals.not_upgraded}
    for task in await ctx.store.tasks.list(name, ladders=False):
        if task.state is TaskState.PENDING and task.code in ("", Code.UPG_NO_TURN.value):
            await _settle(ctx, task, plan, reasons)


async def _tell(ctx: Context, name: str, code: Code, message: str) -> None:
    event = Event(at=ctx.clock.now(), action="campaign.replan", campaign=name, object_id=name, outcome="kept", code=code.value)
    await ctx.store.events.append((replace(event, message=message),))
