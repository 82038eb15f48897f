"""The plan so far as far as it still holds: whose turn is yet to come, what leaves each node, and what stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from operator import attrgetter

from escalator.model.inventory import Instance, Node
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.actions import Leaves, Stays
from escalator.upgrade_manager.planner.repair.given import CannotRepairError, Given
from escalator.upgrade_manager.planner.scope import UNDER_WAY

_START = attrgetter("start_s")


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


def rest_of(given: Given) -> Rest:
    """Raises CannotRepairError where the plan so far does not tell what is under way."""
    rest = Rest()
    kept = _kept(given)
    running = _running(given)
    for node in given.nodes:
        row = _row(given, rest, node)
        there: Iterable[Instance] = given.inventory.instances_by_node.get(node.id, ())
        if not row.begun:
            there = _as_planned(given, row, there, kept)
        for instance in there:
            _settle(given, row, instance, kept, running)
        row.away_s = min(row.leaving_s, given.progress.started[node.id].away_s if row.begun else inf)
    _departures_run(given, rest, kept)
    return rest


def _kept(given: Given) -> dict[str, Move]:
    """The move of each instance that has one to come from where the plan so far saw it last."""
    known, waiting = given.inventory.instance_by_id, {node.id for node in given.nodes if node.progress != "upgrading"}
    for move in given.parent.moves:
        if move.extra and move.origin in waiting and move.instance in known and known[move.instance].node == move.origin:
            raise CannotRepairError  # it leaves its next node in time again: for the search
    return {move.instance: move for move in given.parent.moves if move.origin in waiting}


def _as_planned(given: Given, row: Row, there: Iterable[Instance], kept: dict[str, Move]) -> list[Instance]:
    """Everything on the node but what leaves it as the plan so far says."""
    actions, name, others = given.actions, row.node.id, list[Instance]()
    for instance in there:
        move, action = kept.get(instance.id), actions[instance.id]
        if move is None or move.origin != name or not isinstance(action, Leaves) or move.kind != action.kind:
            others.append(instance)
        else:
            row.moves.append(move)
    return others


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
        # What an earlier night has left over shifts nobody: what goes to the node finds another one.
        if given.windows.index(planned.start_s) >= given.tonight:
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
        others = _as_planned(given, row, (instance,), kept)
        row.added += others


def _departures_run(given: Given, rest: Rest, kept: dict[str, Move]) -> None:
    """How late they are. One that the plan so far does not know holds up everything that has not begun."""
    tonight = given.tonight
    to_come = [row for row in rest.rows.values() if not row.upgrading and given.windows.index(row.away_s) >= tonight]
    rest.first_s = min((row.leaving_s if row.begun else row.away_s for row in to_come), default=inf)
    for row in rest.rows.values():
        for move in row.running:
            planned = kept.get(move.instance)
            known = planned is not None and (planned.origin, planned.target) == (move.origin, move.target)
            due_s = planned.end_s if planned is not None and known else rest.first_s
            rest.late_s = max(rest.late_s, move.end_s - due_s)
        if row.running:
            rest.late_s = max(rest.late_s, max(move.end_s for move in row.running) - row.start_s)
