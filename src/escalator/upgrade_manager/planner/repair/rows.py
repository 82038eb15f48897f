"""The plan so far as far as it still holds: whose turn is yet to come, what leaves each node, and what stays.

A cloud may have a hundred thousand moves to come, of which next to all stay as they are: each is looked at once, as it and its
instance are at hand, and what is asked of all of them later is noted then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from math import inf
from operator import attrgetter, eq, itemgetter

from escalator.model.inventory import Instance, Node
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.actions import Leaves, Stays
from escalator.upgrade_manager.planner.repair.given import CannotRepairError, Given
from escalator.upgrade_manager.planner.scope import UNDER_WAY

Theirs = tuple[str, Mapping[str, float], str | None, str]
"""Node, demand, VNF and project of an instance."""
_START = attrgetter("start_s")
_READ, _NODE, _DEMAND = itemgetter("node", "demand", "vnf", "project"), itemgetter(0), itemgetter(1)
_GONE = Instance.model_construct(id="", node="", project="")
"""Instead of one that is not there any more."""


@dataclass(slots=True)
class Row:
    """One node's turn. Times of what has not begun are those of the plan so far; what runs has its real ones."""

    node: Node
    start_s: float
    end_s: float
    wave: int
    waits: str = ""
    moves: Sequence[Move] = ()
    """Moves that have not begun."""
    running: list[Move] = field(default_factory=list)
    stays: list[tuple[Instance, str]] = field(default_factory=list)
    added: list[Instance] = field(default_factory=list)
    """What leaves the node and has no move in the plan so far."""
    begun: bool = False
    away_s: float = inf
    """From its first departure on; of a turn that has begun, really."""
    moving_s: float = 0.0
    """How long its moves of the plan so far last that have not begun, one after the other."""
    longest_s: float = 0.0
    """The longest of them."""
    kept: Sequence[int] = ()
    """Places of its moves in the plan so far."""
    changed: bool = False
    """Whether its moves are others than in the plan so far."""

    @property
    def upgrading(self) -> bool:
        """Whether its upgrade runs: then all its times are real."""
        return self.begun and self.node.progress == "upgrading"

    @property
    def leaving_s(self) -> float:
        """When the first instance leaves that has not begun to, else when the upgrade starts."""
        return min(self.start_s, *map(_START, self.moves)) if self.moves else self.start_s


@dataclass(slots=True)
class Rest:
    """The rest of the plan so far."""

    rows: dict[str, Row] = field(default_factory=dict)
    late_s: float = 0.0
    """By how much what runs ends later than it was to; what has not begun shifts by at least that."""
    new: list[Row] = field(default_factory=list)
    """Nodes without a turn in the plan so far."""
    first_s: float = inf
    """When the first thing begins that has not begun, by the plan so far; not what was missed in an earlier night."""
    goes: dict[str, str] = field(default_factory=dict)
    """Where each instance goes that moves."""
    arrivals: dict[str, Sequence[Move]] = field(default_factory=dict)
    """What goes to each node and has not begun to."""
    coming: dict[str, Sequence[int]] = field(default_factory=dict)
    """Places in the plan so far of what goes to each node."""
    stands: list[bool] = field(default_factory=list)
    """For each move of the plan so far, whether it still holds."""
    put_forward: bool = False
    """Whether moves have other times than in the plan so far while they are mended."""
    theirs: list[Theirs] = field(default_factory=list)
    """For each of them, what is asked of its instance."""
    amounts: list[int] = field(default_factory=list)
    """For each of them, what its instance takes of each NUMA entry that it goes to, as a sum."""


def rest_of(given: Given) -> Rest:
    """Raises CannotRepairError where the plan so far does not tell what is under way."""
    rest = Rest()
    running = _running(given)
    for node in given.nodes:
        _row(given, rest, node)
    due = _keep(given, rest, running)
    for row in (*rest.rows.values(), *rest.new):
        there = given.inventory.instances_by_node.get(row.node.id, ())
        if len(row.moves) + len(row.running) < len(there):
            _settle(given, row, there, running)
        if row.begun:
            row.away_s = min(row.leaving_s, given.progress.started[row.node.id].away_s)
        for move in row.running:
            rest.goes[move.instance] = move.target
    _departures_run(given, rest, due)
    return rest


def _keep(given: Given, rest: Rest, running: dict[str, Move]) -> dict[str, Move]:
    """Let every move stand whose instance is where it was to be by then; those under way, as they were planned."""
    so_far, known = given.so_far, given.inventory.instance_by_id
    rest.theirs = [*map(_READ, map(vars, map(known.get, so_far.instances, repeat(_GONE))))]
    demands = [*map(_DEMAND, rest.theirs)]
    sums = {number: given.sums.of(demand) for number, demand in {id(demand): demand for demand in demands}.items()}
    rest.amounts = [*map(sums.__getitem__, map(id, demands))]
    rest.stands = [*map(eq, map(_NODE, rest.theirs), so_far.origins)]
    for name, there in so_far.leaving.items():
        row = rest.rows.get(name)
        if row is None or row.upgrading:
            for number in there.numbers:
                rest.stands[number] = False
    if any(map(rest.stands.__getitem__, so_far.extra)):
        raise CannotRepairError  # it leaves its next node in time again: for the search
    due = _due(given, rest, running)
    _drop_others(given, rest)
    _note_departures(given, rest)
    _note_arrivals(given, rest)
    return due


def _numbers(given: Given, name: str) -> Sequence[int]:
    """Moves of the plan so far of that instance from where it is."""
    leaving = given.so_far.leaving.get(given.inventory.instance_by_id[name].node)
    names = given.so_far.instances
    return [] if leaving is None else [number for number in leaving.numbers if names[number] == name]


def _due(given: Given, rest: Rest, running: dict[str, Move]) -> dict[str, Move]:
    """Moves that run, as they were planned; they stand no more."""
    due = dict[str, Move]()
    for number in sorted(number for name in running for number in _numbers(given, name)):
        if rest.stands[number]:
            move = given.parent.moves[number]
            due[move.instance] = move
            row = rest.rows[move.origin]
            if row.begun and not isinstance(given.actions[move.instance], Stays):
                row.running.append(running[move.instance])
                rest.stands[number] = False
    return due


def _drop_others(given: Given, rest: Rest) -> None:
    """No move stands of what has to stay by now, or to move another way."""
    moves, names = given.parent.moves, given.so_far.instances
    # Whatever is not among the actions by its own name has to move live.
    odd = compress(range(len(names)), map(given.actions.__contains__, names)) if given.actions else ()
    for number in {*odd, *given.so_far.cold}:
        action = given.actions[names[number]]
        if not (isinstance(action, Leaves) and moves[number].kind == action.kind):
            rest.stands[number] = False


def _note_departures(given: Given, rest: Rest) -> None:
    stands = rest.stands.__getitem__
    for name, row in rest.rows.items():
        there = given.so_far.leaving.get(name)
        if there is None or row.upgrading:
            continue
        if not all(map(stands, there.numbers)):
            there = given.so_far.departures([*filter(stands, there.numbers)])
        row.moves, row.kept = there.moves, there.numbers
        row.moving_s, row.longest_s = there.lasts_s, there.longest_s
        row.away_s = min(row.away_s, there.first_s)
    names = compress(given.so_far.instances, rest.stands)
    rest.goes = dict(zip(names, compress(given.so_far.targets, rest.stands), strict=True))


def _note_arrivals(given: Given, rest: Rest) -> None:
    stands = rest.stands.__getitem__
    found = []
    for target, planned in given.so_far.arriving.items():
        whole = all(map(stands, planned.numbers))
        there = planned if whole else given.so_far.arrivals([*filter(stands, planned.numbers)])
        if there.numbers:
            found.append((there.numbers[0], target, there))
    found.sort(key=itemgetter(0))
    rest.arrivals = {target: there.moves for _, target, there in found}
    rest.coming = {target: there.numbers for _, target, there in found}


def _running(given: Given) -> dict[str, Move]:
    """Moves under way by instance, with their real times as far as they are known."""
    known, found = given.inventory.instance_by_id, {}
    nodes = {node.id for node in given.nodes} | given.done
    for move in given.progress.moves:
        instance = known.get(move.instance)
        if instance is None or instance.node != move.origin or move.target not in nodes:
            continue
        if move.extra:
            raise CannotRepairError
        lasts_s = given.campaign.spec.estimates.move_s(instance.memory_gib, move.kind)
        found[move.instance] = Move.of_values({**move.__dict__, "end_s": max(given.at_s, move.start_s + lasts_s)})
    return found


def _row(given: Given, rest: Rest, node: Node) -> None:
    planned = given.parent.upgrade_of.get(node.id)
    if node.progress not in UNDER_WAY:
        if planned is None:
            rest.new.append(Row(node, inf, inf, 1))
            return
        start_s, end_s = planned.start_s, planned.end_s
        rest.rows[node.id] = Row(node, start_s, end_s, planned.wave, planned.waits, away_s=start_s)
        return
    started = given.progress.started.get(node.id)
    if planned is None or started is None:
        raise CannotRepairError
    row = rest.rows[node.id] = Row(node, planned.start_s, planned.end_s, planned.wave, planned.waits, begun=True)
    if row.upgrading:
        row.start_s = given.at_s if started.start_s is None else started.start_s
        row.end_s = max(given.at_s, row.start_s + given.campaign.spec.estimates.upgrade_of(node))
        # What an earlier night has left over shifts nobody: what goes to the node finds another one.
        if given.windows.index(planned.start_s) >= given.tonight:
            rest.late_s = max(rest.late_s, row.end_s - planned.end_s)


def _settle(given: Given, row: Row, there: tuple[Instance, ...], running: dict[str, Move]) -> None:
    """What becomes of instances on the node that do not leave it as the plan so far says."""
    leaving = {move.instance for move in (*row.moves, *row.running)}
    rows = given.parent.impacts_on.get(row.node.id, ()) if row.upgrading else ()
    # What did not run when the upgrade began and runs by now is impacted where it is.
    kinds = {impact.instance: impact.kind for impact in rows if impact.kind != "offline"}
    for instance in there:
        if instance.id in leaving:
            continue
        action = given.actions[instance.id]
        if isinstance(action, Stays):
            row.stays.append((instance, action.kind))
        elif row.upgrading:
            row.stays.append((instance, kinds.get(instance.id, "in-place")))
        elif instance.id in running and row.begun:
            row.running.append(running[instance.id])
        else:
            row.added.append(instance)


def entries(move: Move, instance: Instance) -> tuple[int, ...]:
    """NUMA entries that the move goes to."""
    if move.numa_cell is None:
        return tuple(range(instance.numa_span))
    return (move.numa_cell,) if isinstance(move.numa_cell, int) else move.numa_cell


def _departures_run(given: Given, rest: Rest, due: dict[str, Move]) -> None:
    """How late they are. One that the plan so far does not know holds up everything that has not begun."""
    tonight = given.tonight
    to_come = [row for row in rest.rows.values() if not row.upgrading and given.windows.index(row.away_s) >= tonight]
    rest.first_s = min((row.leaving_s if row.begun else row.away_s for row in to_come), default=inf)
    for row in rest.rows.values():
        for move in row.running:
            planned = due.get(move.instance)
            due_s = planned.end_s if planned is not None and planned.target == move.target else rest.first_s
            rest.late_s = max(rest.late_s, move.end_s - due_s)
        if row.running:
            rest.late_s = max(rest.late_s, max(move.end_s for move in row.running) - row.start_s)
