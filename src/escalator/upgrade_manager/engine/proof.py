"""The proof of a run: what the history says happened, checked by the verifier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile

from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import NotFoundError
from escalator.model.inventory import Group, Inventory
from escalator.model.plan import Plan, PlanGroup
from escalator.model.progress import Event
from escalator.model.release import spares_instances
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.planning import OUTSIDE_WINDOWS
from escalator.upgrade_manager.planner.nights import MOST, openings
from escalator.upgrade_manager.planner.verify.replay import Violation
from escalator.upgrade_manager.planner.verify.run import Impacted, Made, Record, Span, verify_run

PAGE = 1000
TURN, PLANNED = "campaign.rolling_back", "campaign.plan"
BY_HAND = "restoration.by-hand"
BACK = ("node.uncordon", "node.undo-cordon")
CHANGES = ("node.upgrade", "node.roll-back")
PROVED = ("node.verify", "node.verify-back")
ENDS = ("node.announce", "node.end")
UNDONE = ("node.undo-upgrade", "node.end")
"""What ends the time in which a node's software is changed, when it is not verified."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was checked, in numbers, and what was found."""

    turns: int
    upgraded: int
    moves: int
    impacts: int
    violations: Sequence[Violation]

    @property
    def said(self) -> str:
        """In one line."""
        found = "; ".join(violation.message for violation in self.violations[:5])
        moves, impacts = counted(self.moves, "move"), counted(self.impacts, "impact")
        checked = f"{counted(self.turns, 'turn')}, {counted(self.upgraded, 'node')} upgraded, {moves}, {impacts}"
        return f"{checked}: {counted(len(self.violations), 'violation')}" + (f": {found}" if found else "")

    def with_(self, other: Proof) -> Proof:
        """Both together. Nodes that were rolled back are no longer counted as upgraded twice."""
        return Proof(
            self.turns + other.turns,
            self.upgraded,
            self.moves + other.moves,
            self.impacts + other.impacts,
            (*self.violations, *other.violations),
        )


async def prove(ctx: Context, name: str) -> Proof:
    """Check the campaign's history as far as it goes, the way back for itself. Raises NotFoundError when it has not started."""
    row = await ctx.store.campaigns.get(name)
    if row is None or row.started_at is None or row.plan is None:
        raise NotFoundError(
            Code.UPG_NOT_FOUND, f"There is no campaign {name!r} that has started.", remedy="escalator campaign list"
        )
    history = _History(row.started_at)
    back: _History | None = None
    turning = False
    async for event in _events(ctx, name):
        # What was under way when a rollback was asked for belongs to the way there; the way back begins with its plan.
        turning = turning or event.action == TURN
        if turning and back is None and event.action == PLANNED:
            back = _History(event.at, anytime=bool((await ctx.store.tasks.memo(name)).get(OUTSIDE_WINDOWS)))
            back.gone = dict.fromkeys(history.gone, 0.0)
        (history if back is None else back).take(event)
    until = row.ended_at or ctx.clock.now()
    began_on, groups = await started_on(ctx, row), (await _last_there(ctx, row)).groups
    if back is None:
        return await _proved(ctx, row, history, until, began_on, groups)
    there = await _proved(ctx, row, history, back.start, began_on, groups)
    return there.with_(await _proved(ctx, row, back, max(until, back.start), await turned_on(ctx, row)))


async def _proved(
    ctx: Context,
    row: CampaignRow,
    history: _History,
    until: float,
    inventory: Inventory,
    groups: tuple[PlanGroup, ...] = (),
) -> Proof:
    """One way, from its begin until then (Unix seconds); `inventory` is the cloud as its first plan saw it.

    `groups`: the parts of the scope that go one after the other; on the way back there are none.
    """
    campaign = await ctx.book.campaign(row.name)
    start, end = history.start, until - history.start
    impacts = [
        Impacted(
            instance=impact.instance,
            groups=impact.groups,
            node=impact.node,
            target=impact.target,
            start_s=impact.started_at - start,
            end_s=end if impact.ended_at is None else impact.ended_at - start,
        )
        for impact in await ctx.store.admission.impacts(row.name)
        if start <= impact.started_at <= until
    ]
    spec = campaign.spec
    timed = (spec.windows or spec.not_after) and not history.anytime
    spans = ((opens - start, closes - start) for opens, closes in islice(openings(spec, start), MOST))
    windows = tuple(takewhile(lambda span: span[0] <= end, spans)) if timed else ()
    spared = spares_instances((await ctx.book.brings(campaign)).impact)
    record = history.record(impacts, windows, end)
    record = replace(record, spared=spared, groups=groups, deleted=await _deleted(ctx, row, inventory))
    violations = verify_run(campaign, await _as_wide(ctx, inventory, spec.migration), record)
    return Proof(len(record.away), len(record.upgraded), len(record.moves), len(impacts), violations)


async def _as_wide(ctx: Context, inventory: Inventory, policy: Migration) -> Inventory:
    """The cloud of the start, its groups under the wider of the limits of then and now.

    A limit that a VNF's owner widened while the campaign ran counted from then on; one that was narrowed did not before.
    """
    names = [group.id for group in inventory.groups]
    now = {group.id: group for group, _ in await observed.groups(ctx, inventory, names, policy)}
    groups = tuple(_wider(group, now[group.id], len(inventory.members.get(group.id, ()))) for group in inventory.groups)
    return Inventory.model_construct(nodes=inventory.nodes, instances=inventory.instances, groups=groups)


def _wider(then: Group, now: Group, members: int) -> Group:
    if then == now:
        return then
    most = max(then.limit(members), now.limit(members))
    recovery_s = min(then.recovery_s, now.recovery_s)
    return then.model_copy(update={"max_impacted": most, "min_preserved": None, "recovery_s": recovery_s})


async def _deleted(ctx: Context, row: CampaignRow, began_on: Inventory) -> dict[str, float]:
    """Instances that their owners have deleted since, with when a plan saw them last: from then on nobody knows."""
    policy = (await ctx.book.campaign(row.name)).spec.migration
    gone = set(began_on.instance_by_id.keys() - (await observed.inventory(ctx, policy)).instance_by_id.keys())
    found: dict[str, float] = {}
    plan_id = row.plan
    while gone and plan_id is not None:
        plan, inventory = await ctx.book.plan(plan_id)
        stored = await ctx.store.campaigns.get_plan(plan_id)
        if plan.at_s <= 0 or stored is None:
            break
        seen = gone & inventory.instance_by_id.keys()
        found |= dict.fromkeys(seen, stored.created_at - (row.started_at or 0.0))
        gone -= seen
        plan_id = plan.parent
    return dict.fromkeys(gone, 0.0) | found


async def _events(ctx: Context, name: str) -> AsyncIterator[Event]:
    after = 0
    while page := await ctx.store.events.read(after, campaign=name, limit=PAGE):
        for event in page:
            yield event
        after = page[-1].seq


async def started_on(ctx: Context, row: CampaignRow) -> Inventory:
    """The cloud as the plan saw it that the campaign started by."""
    plan_id = row.plan or ""
    head = await ctx.book.head(plan_id)
    while not head.begins and head.parent is not None:
        plan_id = head.parent
        head = await ctx.book.head(plan_id)
    return (await ctx.book.plan(plan_id))[1]


async def _last_there(ctx: Context, row: CampaignRow) -> Plan:
    """The plan that the way there followed last."""
    plan_id = row.plan or ""
    head = await ctx.book.head(plan_id)
    while head.purpose != "upgrade" and head.parent is not None:
        plan_id = head.parent
        head = await ctx.book.head(plan_id)
    return (await ctx.book.plan(plan_id))[0]


async def turned_on(ctx: Context, row: CampaignRow) -> Inventory:
    """The cloud as the first plan of the way back saw it."""
    plan_id = row.plan or ""
    parent = (await ctx.book.head(plan_id)).parent
    while parent is not None and (await ctx.book.head(parent)).purpose != "upgrade":
        plan_id, parent = parent, (await ctx.book.head(parent)).parent
    return (await ctx.book.plan(plan_id))[1]


@dataclass(slots=True)
class _History:
    """Events in, spans out."""

    start: float
    anytime: bool = False
    """Whether a person has said that no maintenance window is waited for."""
    away: list[Span] = field(default_factory=list)
    installed: list[Span] = field(default_factory=list)
    upgraded: dict[str, float] = field(default_factory=dict)
    moves: list[Made] = field(default_factory=list)
    gone: dict[str, float] = field(default_factory=dict)
    changing: dict[str, float] = field(default_factory=dict)
    uncordoned: set[str] = field(default_factory=set)
    """Nodes in their turn that were not taken out of service: that lasts from the change of their software to its end."""

    def take(self, event: Event) -> None:
        at, node = event.at - self.start, event.node or ""
        if event.action in ENDS and event.outcome != "started" and node in self.uncordoned:
            self.uncordoned.discard(node)
            self.away.append((self.gone.pop(node), at, node))
        done = event.outcome == "done"
        if event.action == "node.cordon" and event.outcome == "started":
            self.gone.setdefault(node, at)
        elif self._back(event) and done and node in self.gone:
            self.away.append((self.gone.pop(node), at, node))
        elif event.action in CHANGES and event.outcome == "started":
            self.changing.setdefault(node, at)
            if node not in self.gone:
                self.gone[node] = at
                self.uncordoned.add(node)
        elif event.action in PROVED and node in self.changing and event.outcome != "started":
            self.installed.append((self.changing.pop(node), at, node))
            if done:
                self.upgraded[node] = at
        elif event.action in UNDONE and node in self.changing:
            self.installed.append((self.changing.pop(node), at, node))
        elif event.action == "instance.move" and done:
            made = Made(
                instance=event.object_id or "", origin=str(event.data.get("from")), target=str(event.data.get("to")), at_s=at
            )
            self.moves.append(made)

    @staticmethod
    def _back(event: Event) -> bool:
        """Whether the node is in service again: put back by a step, or by a person."""
        return event.action in BACK or (event.action == BY_HAND and event.object_id == event.node)

    def record(self, impacts: Sequence[Impacted], windows: Sequence[tuple[float, float]], end: float) -> Record:
        left = [(at, end, node) for node, at in self.gone.items()]
        return Record(
            away=(*self.away, *left),
            installed=tuple(self.installed),
            upgraded=self.upgraded,
            impacts=tuple(impacts),
            moves=tuple(self.moves),
            windows=windows,
        )
