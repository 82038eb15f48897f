"""The plan so far as far as it still holds: whose turn is yet to come, what leaves each node, and what stays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf

from escalator.model.inventory import Instance, Node
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.actions import Leaves, Stays
from escalator.upgrade_manager.planner.repair.given import CannotRepairError, Given
from escalator.upgrade_manager.planner.scope import UNDER_WAY


@dataclass(slots=True)
class Row:
    """One node's turn. Times of what has not begun are those of the plan so far; what runs has its real ones."""

    node: Node
    start_s: float
    end_s: float
    wave: int
    waits: str = ""
    moves: list[Move] = field(default_factory=list)
    """Moves that have not begun."""
    running: list[Move] = field(default_factory=list)
    stays: list[tuple[Instance, str]] = field(default_factory=list)
    added: list[Instance] = field(default_factory=list)
    """What leaves the node and has no move in the plan so far."""
    begun: bool = False
    away_s: float = inf
    """From its first departure on; of a turn that has begun, really."""

    @property
    def upgrading(self) -> bool:
        """Whether its upgrade runs: then all its times are real."""
        return self.begun and self.node.progress == "upgrading"

    @property
    def leaving_s(self) -> float:
        """When the first instance leaves that has not begun to, else when the upgrade starts."""
        return min([self.start_s, *(move.start_s for move in self.moves)])


@dataclass(slots=True)
class Rest:
    """The rest of the plan so far."""

    rows: dict[str, Row] = field(default_factory=dict)
    late_s: float = 0.0
    """By how much what runs ends later than it was to; what has not begun shifts by at least that."""
    new: list[Row] = field(default_factory=list)
    """Nodes without a turn in the plan so far."""
    first_s: float = inf
    """When the first thing begins that has not begun, by the plan so far."""


def rest_of(given: Given) -> Rest:
    """Raises CannotRepairError where the plan so far does not tell what is under way."""
    rest = Rest()
    kept = _kept(given)
    running = _running(given)
    for node in given.nodes:
        row = _row(given, rest, node)
        for instance in given.inventory.instances_by_node.get(node.id, ()):
            _settle(given, row, instance, kept, running)
        row.away_s = min(row.leaving_s, given.progress.started[node.id].away_s if row.begun else inf)
    _departures_run(rest, kept)
    return rest


def _kept(given: Given) -> dict[str, Move]:
    """The move of each instance that has one to come."""
    known, found = given.inventory.instance_by_id, {}
    waiting = {node.id for node in given.nodes if node.progress != "upgrading"}
    for move in given.parent.moves:
        instance = known.get(move.instance)
        if instance is not None and instance.node == move.origin and move.origin in waiting:
            if move.extra:
                raise CannotRepairError  # it leaves its next node in time again: for the search
            found[move.instance] = move
    return found


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
        found[move.instance] = move.model_copy(update={"end_s": max(given.at_s, move.start_s + lasts_s)})
    return found


def _row(given: Given, rest: Rest, node: Node) -> Row:
    planned = given.parent.upgrade_of.get(node.id)
    lasts_s = given.campaign.spec.estimates.upgrade_of(node)
    if node.progress not in UNDER_WAY:
        if planned is None:
            row = Row(node, inf, inf, 1)
            rest.new.append(row)
            return row
        row = rest.rows[node.id] = Row(node, planned.start_s, planned.end_s, planned.wave, planned.waits)
        return row
    started = given.progress.started.get(node.id)
    if planned is None or started is None:
        raise CannotRepairError
    row = rest.rows[node.id] = Row(node, planned.start_s, planned.end_s, planned.wave, planned.waits, begun=True)
    if row.upgrading:
        row.start_s = given.at_s if started.start_s is None else started.start_s
        row.end_s = max(given.at_s, row.start_s + lasts_s)
        rest.late_s = max(rest.late_s, row.end_s - planned.end_s)
    return row


def _settle(given: Given, row: Row, instance: Instance, kept: dict[str, Move], running: dict[str, Move]) -> None:
    """What becomes of one instance on the node."""
    action = given.actions[instance.id]
    if isinstance(action, Stays):
        row.stays.append((instance, action.kind))
    elif row.upgrading:
        rows = given.parent.impacts_on.get(row.node.id, ())
        row.stays.append((instance, next((one.kind for one in rows if one.instance == instance.id), "in-place")))
    elif instance.id in running and row.begun:
        row.running.append(running[instance.id])
    else:
        move = kept.get(instance.id)
        if move is not None and isinstance(action, Leaves) and move.kind == action.kind:
            row.moves.append(move)
        else:
            row.added.append(instance)


def _departures_run(rest: Rest, kept: dict[str, Move]) -> None:
    """How late they are. One that the plan so far does not know holds up everything that has not begun."""
    rest.first_s = min((row.leaving_s for row in rest.rows.values() if not row.upgrading), default=inf)
    for row in rest.rows.values():
        for move in row.running:
            planned = kept.get(move.instance)
            known = planned is not None and planned.target == move.target
            due_s = planned.end_s if planned is not None and known else rest.first_s
            rest.late_s = max(rest.late_s, move.end_s - due_s)
        if row.running:
            rest.late_s = max(rest.late_s, max(move.end_s for move in row.running) - row.start_s)


def arrivals_of(rest: Rest) -> dict[str, list[tuple[Row, Move]]]:
    """Moves that have not begun, by the node that they go to."""
    found: defaultdict[str, list[tuple[Row, Move]]] = defaultdict(list)
    for row in rest.rows.values():
        for move in row.moves:
            found[move.target].append((row, move))
    return found
