"""How far a campaign is: what a plan from the middle of it has to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from escalator.model.inventory import Inventory
from escalator.model.plan import Move, Plan
from escalator.upgrade_manager.planner.cloud import Cloud, Guest
from escalator.upgrade_manager.planner.scope import UNDER_WAY, ScopedNodes
from escalator.upgrade_manager.planner.turns import Begun, Midway, Placed, Timed

Targets = dict[str, tuple[int, tuple[int, ...]]]
"""Node and cells by instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A turn that has begun: `away_s` in working time; `start_s` is null while instances still leave."""

    away_s: float
    start_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a campaign stands, in working time from its start.

    The inventory of that moment tells which nodes are done, failed, upgrading or draining, and where every instance is;
    one that is moving is still where it leaves.
    """

    at_s: float = 0.0
    parent: Plan | None = None
    """The plan that is followed so far. What of it still holds is kept."""
    started: Mapping[str, Started] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    """Moves under way, with the times at which they began."""
    ended: Mapping[str, float] = field(default_factory=dict)
    """When the last impact of a group ended: its recovery counts from there."""
    over: Mapping[str, float] = field(default_factory=dict)
    """When the turn of each node ended that is through, well or not."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why nodes that failed did, in words."""
    level: int = 0
    """The last wave of which a node is done, where the plan so far does not hold it any more."""


def assumed(parent: Plan, inventory: Inventory, at_s: float) -> Progress:
    """Where a campaign stands that runs as its plan says, in what the inventory of that moment does not tell: the times."""
    away: dict[str, float] = {}
    for move in parent.moves:
        away[move.origin] = min(away.get(move.origin, move.start_s), move.start_s)
    started = {}
    for node in inventory.nodes:
        upgrade = parent.upgrade_of.get(node.id)
        if upgrade is not None and node.progress in UNDER_WAY:
            began = min(upgrade.start_s, away.get(node.id, upgrade.start_s), at_s)
            start = min(upgrade.start_s, at_s) if node.progress == "upgrading" else None
            started[node.id] = Started(away_s=began, start_s=start)
    here = inventory.instance_by_id
    running = [m for m in parent.moves if m.start_s < at_s < m.end_s and m.instance in here and here[m.instance].node == m.origin]
    ended: dict[str, float] = {}
    ends = [(move.instance, move.end_s) for move in parent.moves]
    ends += [(impact.instance, impact.end_s) for impact in parent.impacts if impact.kind != "offline"]
    for instance, end_s in ends:
        for group in here[instance].groups if end_s <= at_s and instance in here else ():
            ended[group] = max(ended.get(group, 0.0), end_s)
    through = [node.id for node in inventory.nodes if node.progress in ("done", "failed") and node.id in parent.upgrade_of]
    over = {node: min(at_s, parent.upgrade_of[node].end_s) for node in through}
    return Progress(at_s=at_s, parent=parent, started=started, moves=running, ended=ended, over=over)


def told(scope: ScopedNodes, progress: Progress) -> dict[str, str]:
    """What is known of the nodes left out beyond their state."""
    return {node: reason for node, reason in progress.reasons.items() if node in scope.left_out}


def midway_of(cloud: Cloud, inventory: Inventory, progress: Progress) -> Midway:
    """The same in the numbers of `cloud`, in which what is under way is not ready for another turn any more.

    What is left on a node that is being upgraded stays there, whatever was thought of it before.
    """
    numbers = {node.id: number for number, node in enumerate(cloud.nodes)}
    begun = []
    parent = progress.parent
    waves = {upgrade.node: upgrade.wave for upgrade in parent.upgrades} if parent is not None else {}
    for number, node in enumerate(cloud.nodes):
        if node.progress not in UNDER_WAY:
            continue
        cloud.ready[number] = False
        started = progress.started.get(node.id, Started(away_s=progress.at_s))
        upgrading = node.progress == "upgrading"
        if upgrading:
            _keep(cloud.guests[number], parent)
        start_s = (progress.at_s if started.start_s is None else started.start_s) if upgrading else None
        running = () if upgrading else _running(cloud, numbers, number, progress)
        begun.append(Begun(number, started.away_s, start_s, waves.get(node.id, 1), running))
    done = [upgrade.wave for node, upgrade in parent.upgrade_of.items() if _done(inventory, node)] if parent is not None else []
    groups = {limit.id: number for number, limit in enumerate(cloud.limits)}
    kept, kept_old = _kept(cloud, numbers, parent) if parent is not None else ({}, {})
    return Midway(
        begun=tuple(begun),
        kept=kept,
        kept_old=kept_old,
        order=_order(cloud, numbers, parent) if parent is not None else (),
        ended={groups[name]: at for name, at in progress.ended.items() if name in groups},
        over=progress.over,
        # Where nothing of the last plan is through, what came before its first wave is; that plan may have none at all.
        level=max([progress.level, min(waves.values(), default=1) - 1, *done]),
        end_s=parent.totals.makespan_s if parent is not None else 0.0,
    )


def _done(inventory: Inventory, node: str) -> bool:
    found = inventory.node_by_id.get(node)
    return found is not None and found.progress == "done"


def _keep(guests: list[Guest], parent: Plan | None) -> None:
    # What did not run when the upgrade began and runs by now is impacted where it is.
    stays = parent.impacts if parent is not None else ()
    kinds = {impact.instance: impact.kind for impact in stays if impact.kind != "offline"}
    for guest in guests:
        if guest.leaves:
            guest.leaves, guest.lasts_s = False, 0.0
            guest.kind = kinds.get(guest.id, "in-place")


def _running(cloud: Cloud, numbers: Mapping[str, int], node: int, progress: Progress) -> tuple[Timed, ...]:
    """Moves under way from the node; one to a node that is out of the picture has to be looked at again."""
    guests = {guest.id: guest for guest in cloud.guests[node]}
    found = []
    for move in progress.moves:
        guest, target = guests.get(move.instance), numbers.get(move.target)
        if guest is None or target is None or move.origin != cloud.nodes[node].id or not guest.leaves:
            continue
        end_s = max(progress.at_s, move.start_s + guest.lasts_s)
        found.append(Timed(Placed(guest, target, _cells(cloud, target, move, guest), move.extra), move.start_s, end_s))
    return tuple(found)


def _cells(cloud: Cloud, target: int, move: Move, guest: Guest) -> tuple[int, ...]:
    where = move.numa_cell
    entries = tuple(range(guest.shape.span)) if where is None else (where,) if isinstance(where, int) else where
    return tuple(cloud.cells[target][entry] for entry in entries if entry < len(cloud.cells[target]))


def _kept(cloud: Cloud, numbers: Mapping[str, int], parent: Plan) -> tuple[Targets, Targets]:
    """Where the parent wants each instance that still has to leave; and moves beyond one, of turns that have begun only."""
    guests = {guest.id: (node, guest) for node, there in enumerate(cloud.guests) for guest in there if guest.leaves}
    found: tuple[Targets, Targets] = ({}, {})
    for move in parent.moves:
        here, target = guests.get(move.instance), numbers.get(move.target)
        if here is None or target is None or cloud.nodes[here[0]].id != move.origin:
            continue
        if move.extra and cloud.nodes[here[0]].progress not in UNDER_WAY:
            continue
        cells = _cells(cloud, target, move, here[1])
        if len(cells) == here[1].shape.span:
            found[move.extra][move.instance] = (target, cells)
    return found


def _order(cloud: Cloud, numbers: Mapping[str, int], parent: Plan) -> tuple[int, ...]:
    """Nodes that wait, as the parent lets them begin; those that it does not know come last."""
    begins = {upgrade.node: upgrade.start_s for upgrade in parent.upgrades}
    for move in parent.moves:
        if move.origin in begins:
            begins[move.origin] = min(begins[move.origin], move.start_s)
    known = [numbers[node] for node in sorted(begins, key=lambda n: (begins[n], n)) if node in numbers]
    others = [number for number, node in enumerate(cloud.nodes) if node.id not in begins]
    return tuple(number for number in (*known, *others) if cloud.ready[number])
