"""Mending the rest of a plan: what has lost its place gets another one, and turns for which there is none come later.

A move that lost its target goes to another node at the same moment. Where none has room for it then, its node's turn is put
off, and with it every move to that node, until there is: at the end of a plan there is room, as the nodes that are upgraded
last take nothing. A node that is being emptied is not put off; what is left on it leaves as soon as it can.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain, count
from math import inf

from escalator.model.inventory import Instance
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.actions import Leaves
from escalator.upgrade_manager.planner.cloud import SLACK
from escalator.upgrade_manager.planner.repair.apart import Ends
from escalator.upgrade_manager.planner.repair.away import Span
from escalator.upgrade_manager.planner.repair.clock import Clock, recovering
from escalator.upgrade_manager.planner.repair.given import CannotRepairError, Given
from escalator.upgrade_manager.planner.repair.nights import Nights
from escalator.upgrade_manager.planner.repair.reserve import Reserve
from escalator.upgrade_manager.planner.repair.room import Place, Room
from escalator.upgrade_manager.planner.repair.rows import Rest, Row, entries

MOST_PUT_OFF = 0.05
"""Share of the turns that are put off at most; where more would be, the search does better."""
ONE_BY_ONE = 20
"""Moments that are tried one by one for a turn that is put off."""
SPREAD_OUT = 40
"""Moments that are tried after those: spread evenly over all that are left, as moves may be many for long."""


@dataclass(slots=True)
class Mended:
    """What a repair has changed beside the shift."""

    elsewhere: int = 0
    """Moves that go to another node than before."""
    put_off: int = 0
    """Turns that come later than the shift alone would have them, or that the plan so far did not have."""
    goes: dict[str, str] = field(default_factory=dict)
    """Where those go that go elsewhere."""


class Mending:
    """One repair: it changes the rows of `rest`. Raises CannotRepairError where it comes to no end."""

    def __init__(self, given: Given, rest: Rest, nights: Nights) -> None:
        self._given, self._rest, self._nights = given, rest, nights
        self._known = given.inventory.instance_by_id
        self._clock = Clock(given, rest, nights.late_s)
        self._reserve = Reserve(given, rest, self._clock)
        self._room = Room(given, rest, self._clock, self._reserve)
        self._arrivals = rest.arrivals
        self._ends = Ends(given.inventory, rest.goes)
        self._lost: list[tuple[float, int, Row, Move]] = []
        self._numbers = count()
        self._put_off: dict[str, Row] = {}
        self._mended = Mended()

    def run(self) -> tuple[Mended, Ends]:
        """Put everything right that is not. Also where members of groups end then."""
        self._take_places()
        self._clear()
        self._spare()
        for row in chain(self._nights.overrun(), self._early()):
            if row.node.id not in self._put_off:
                self._postpone(row)
        for row in self._clock.away.too_many():
            self._postpone(row)
        for row in list(self._rest.rows.values()):
            if row.added and row.node.id not in self._put_off:
                self._add(row)
        while self._lost:
            _, _, row, move = heapq.heappop(self._lost)
            if row.node.id in self._put_off:
                row.added.append(self._known[move.instance])
            else:
                self._replace(row, move)
        rows = sorted(self._put_off.values(), key=lambda row: (row.start_s, row.node.id))
        for row in [*rows, *self._rest.new]:
            self._insert(row)
        self._clock.away.refresh()
        if self._clock.away.too_many() or not self._reserve.holds():
            raise CannotRepairError
        self._ends.again(self._mended.goes)
        return self._mended, self._ends

    # -- what still holds

    def _take_places(self) -> None:
        """What was to go to a node that takes nothing by then loses its place. All others keep theirs."""
        parent, late_s = self._given.parent.upgrade_of, self._clock.late_s
        # Whatever goes to a node begins when it is ready, by the plan so far; all that has not begun is late by the same time,
        # unless there are nights.
        same = self._given.windows.open or not late_s
        for target, moves in [*self._arrivals.items()]:
            ready_s, planned = self._room.ready_s.get(target, inf), parent.get(target)
            if same and ready_s <= (-inf if planned is None else planned.end_s):
                continue
            for move in [move for move in moves if ready_s > move.start_s + SLACK]:
                if target in self._room.ready_s:
                    self._withdraw(move)
                else:
                    self._room.nowhere(self._known[move.instance])
                self._arrivals[target] = [other for other in self._arrivals[target] if other is not move]
                self._lose(self._rest.rows[move.origin], move)
        for row in self._rest.rows.values():
            for move in row.running:
                self._room.runs(self._known[move.instance], move, (move.start_s - late_s, move.end_s - late_s))

    def _clear(self) -> None:
        """Targets that are to take more than they may give up what comes last."""
        for name in sorted(self._room.too_full() | self._ends.crowded):
            for move in sorted(self._arrivals.get(name, ()), key=lambda one: -one.start_s):
                row = self._rest.rows[move.origin]
                if self._room.overfull(name) or self._room.crowded(self._known[move.instance], name):
                    self._withdraw(move)
                    self._lose(row, move)

    def _spare(self) -> None:
        """Groups with members on nodes that are down bear less than before: turns that are too much for them come later."""
        inventory = self._given.inventory
        down = [node.id for node in inventory.nodes if node.state == "down"]
        names = {name for node in down for i in inventory.instances_by_node.get(node, ()) for name in i.groups}
        for name in sorted(names):
            most, until = self._clock.most(name), list[float]()
            for (start, end), row in sorted(self._clock.impacts(name), key=lambda one: (one[0], one[1].node.id)):
                until = [other for other in until if other > start + SLACK]
                if len(until) < most or start < self._clock.now_s - SLACK:
                    until.append(end)
                elif row.begun:
                    raise CannotRepairError  # it is out of service and cannot wait
                elif row.node.id not in self._put_off:
                    self._postpone(row)

    def _early(self) -> Iterator[Row]:
        """Turns that do not shift, and would begin before their groups have recovered from what is over."""
        for name, opens in recovering(self._given):
            for (start, _), row in self._clock.impacts(name):
                if not row.begun and start < opens - self._clock.late_s - SLACK:
                    yield row

    def _add(self, row: Row) -> None:
        """What leaves the node and has no move yet leaves before everything else, if there is time for it."""
        while row.added:
            instance = row.added[0]
            lasts_s = self._lasts_s(instance)
            if row.begun:
                row.added.pop(0)
                self._soon(row, instance, max([self._clock.now_s, self._runs_until_s(row), *(m.end_s for m in row.moves)]))
                continue
            start = row.away_s - lasts_s
            span = (start, start + lasts_s)
            opens = self._clock.opens([instance], start, lasts_s, {})
            fits = start >= self._clock.now_s and opens == start and not self._busy(span) and self._given.windows.open
            fits = fits and not self._clock.away.reach(row, start, row.away_s)
            place = self._room.find(instance, row.node, span) if fits else None
            if place is None:
                self._postpone(row)
                return
            row.added.pop(0)
            self._goes(row, instance, place, span)
            self._clock.moved(instance, *span)
            self._clock.away.goes(row, start, row.away_s)
            row.away_s = start
            self._reserve.changed()

    # -- what does not

    def _lose(self, row: Row, move: Move) -> None:
        if self._known[move.instance].groups and any(
            self._given.inventory.group_by_id[name].policy == "affinity" for name in self._known[move.instance].groups
        ):
            raise CannotRepairError  # those that have to stay together go on together
        row.changed, row.moves = True, [other for other in row.moves if other is not move]
        self._reserve.changed()
        heapq.heappush(self._lost, (move.start_s, next(self._numbers), row, move))

    def _withdraw(self, move: Move) -> None:
        place = (move.target, entries(move, self._known[move.instance]))
        self._room.withdraw(self._known[move.instance], place, (move.start_s, move.end_s))

    def _replace(self, row: Row, move: Move) -> None:
        instance, span = self._known[move.instance], (move.start_s, move.end_s)
        may = self._clock.opens([instance], span[0], span[1] - span[0], {}) <= span[0] + SLACK
        place = self._room.find(instance, row.node, span) if may else None
        if place is not None:
            self._goes(row, instance, place, span)
        elif row.begun:
            self._soon(row, instance, max(self._clock.now_s, move.start_s))
        else:
            row.added.append(instance)
            self._postpone(row)

    def _soon(self, row: Row, instance: Instance, from_s: float) -> None:
        """It leaves the node, which is out of service, as soon as there is a place; whatever waits for the node waits on."""
        lasts_s = self._lasts_s(instance)
        for at_s in _tried(from_s, self._room.times(instance, from_s)):
            span = self._span(row, instance, at_s, lasts_s, {})
            place = self._room.find(instance, row.node, span) if span is not None else None
            if span is None or place is None:
                continue
            self._goes(row, instance, place, span)
            self._clock.moved(instance, *span)
            if span[1] > row.start_s + SLACK:
                self._comes_later(row, span[1])
            return
        raise CannotRepairError

    def _comes_later(self, row: Row, from_s: float) -> None:
        """The node is upgraded later, and takes instances later than before; what was to go there by then loses its place."""
        lasts_s = row.end_s - row.start_s
        row.start_s = self._opens(row, from_s, lasts_s, {})
        row.end_s = row.start_s + lasts_s
        if row.start_s == inf:
            raise CannotRepairError
        self._mended.put_off += 1
        self._clock.away.refresh()
        self._reserve.changed()
        self._room.ready(row.node.id, row.end_s)
        for move in self._arrivals.get(row.node.id, ()):
            other = self._rest.rows[move.origin]
            if _stands(move, other) and move.start_s < row.end_s - SLACK:
                self._withdraw(move)
                self._lose(other, move)

    def _postpone(self, row: Row) -> None:
        # The last turns of a night that runs late are as many as go at once.
        last = 0 if self._given.windows.open else self._given.width
        if len(self._put_off) >= max(1.0, MOST_PUT_OFF * len(self._rest.rows), last):
            raise CannotRepairError
        name = row.node.id
        self._put_off[name] = row
        self._clock.away.drops(row)
        for move in row.moves:
            self._withdraw(move)
            row.added.append(self._known[move.instance])
        row.changed, row.moves = True, []
        self._reserve.changed()
        self._room.ready(name, inf)
        for move in self._arrivals.pop(name, ()):
            other = self._rest.rows[move.origin]
            if _stands(move, other):
                self._withdraw(move)
                self._lose(other, move)

    # -- turns that come later

    def _insert(self, row: Row) -> None:
        """Give the node its turn as soon as all that leaves it has a place."""
        leaving = sorted(row.added, key=lambda i: (-i.numa_span, -sum(i.demand.values()), i.id))
        first = max(self._clock.now_s, -inf if row.start_s == inf else row.start_s)
        times: Iterable[float] = self._room.times(leaving[0], first) if leaving else ()
        for at_s in _tried(first, merge(times, self._nights.opens(first))):
            if self._begins(row, leaving, at_s):
                self._mended.put_off += 1
                return
        raise CannotRepairError

    def _begins(self, row: Row, leaving: list[Instance], at_s: float) -> bool:
        taken: dict[str, list[Span]] = defaultdict(list)
        placed: list[tuple[Instance, Place, Span]] = []
        upgrade = None
        cursor = at_s
        for instance in leaving:
            span = self._span(row, instance, cursor, self._lasts_s(instance), taken)
            place = self._room.find(instance, row.node, span) if span is not None else None
            if span is None or place is None:
                break
            self._room.occupy(instance, place, span)
            placed.append((instance, place, span))
            cursor = span[1]
            for name in instance.groups:
                taken[name].append(span)
        else:
            upgrade = self._upgrade(row, placed[0][2][0] if placed else None, cursor, taken)
        for instance, place, span in placed:
            self._room.withdraw(instance, place, span)
        if upgrade is None or not self._reserve.allows(row, upgrade[1], placed):
            return False
        for instance, place, span in placed:
            self._goes(row, instance, place, span)
            self._clock.moved(instance, *span)
        row.start_s, row.end_s = upgrade
        row.away_s = placed[0][2][0] if placed else row.start_s
        row.wave = 1 + max((one.wave for one in self._rest.rows.values() if one.end_s <= row.away_s + SLACK), default=row.wave)
        row.added = []
        self._rest.rows[row.node.id] = row
        self._clock.away.takes(row)
        self._reserve.changed()
        self._room.ready(row.node.id, row.end_s)
        return True

    def _upgrade(self, row: Row, away_s: float | None, from_s: float, taken: dict[str, list[Span]]) -> Span | None:
        """When the node is upgraded that is empty then, if that is within the campaign's bounds."""
        lasts_s = self._given.campaign.spec.estimates.upgrade_of(row.node)
        start = self._opens(row, from_s, lasts_s, taken)
        if start == inf:
            return None
        away_s, end_s = start if away_s is None else away_s, start + lasts_s
        if self._clock.away.reach(row, away_s, end_s):
            return None
        return (start, end_s) if self._nights.holds(row, away_s, end_s) else None

    def _opens(self, row: Row, from_s: float, lasts_s: float, taken: dict[str, list[Span]]) -> float:
        """When the groups of what stays on the node let it be upgraded."""
        self._clock.aside = row
        start = self._clock.opens([instance for instance, kind in row.stays if kind != "offline"], from_s, lasts_s, taken)
        self._clock.aside = None
        return start

    # -- moves

    def _goes(self, row: Row, instance: Instance, place: Place, span: Span) -> None:
        action = self._given.actions[instance.id]
        move = Move.model_construct(
            instance=instance.id,
            origin=row.node.id,
            target=place[0],
            numa_cell=place[1][0] if len(place[1]) == 1 else place[1],
            kind=action.kind if isinstance(action, Leaves) else "live",
            start_s=span[0],
            end_s=span[1],
            extra=False,
        )
        self._room.occupy(instance, place, span)
        row.changed = True
        row.moves = [*row.moves, move]
        self._arrivals[place[0]] = [*self._arrivals.get(place[0], ()), move]
        self._mended.elsewhere += 1
        self._mended.goes[instance.id] = place[0]
        self._reserve.changed()

    def _span(self, row: Row, instance: Instance, from_s: float, lasts_s: float, taken: dict[str, list[Span]]) -> Span | None:
        """When it may leave, at `from_s` at the earliest; None: not soon."""
        start = self._clock.opens([instance], from_s, lasts_s, taken)
        span = (start, start + lasts_s)
        return None if start == inf or self._busy(span) or self._leaving(row, span) else span

    def _busy(self, span: Span) -> bool:
        return self._clock.moving(self._given.campaign.spec.migration.total, *span)

    def _leaving(self, row: Row, span: Span) -> bool:
        """Whether so many leave the node then that one more may not."""
        late_s = self._clock.late_s
        spans = [(m.start_s, m.end_s) for m in row.moves] + [(m.start_s - late_s, m.end_s - late_s) for m in row.running]
        at_once = sum(start < span[1] - SLACK and span[0] < end - SLACK for start, end in spans)
        return at_once >= self._given.campaign.spec.migration.per_node

    def _runs_until_s(self, row: Row) -> float:
        return max((move.end_s - self._clock.late_s for move in row.running), default=-inf)

    def _lasts_s(self, instance: Instance) -> float:
        action = self._given.actions[instance.id]
        kind = action.kind if isinstance(action, Leaves) else "live"
        return self._given.campaign.spec.estimates.move_s(instance.memory_gib, kind)


def _stands(move: Move, row: Row) -> bool:
    """Whether the move is one of the turn still."""
    return any(other is move for other in row.moves)


def _tried(first_s: float, later: Iterable[float]) -> Iterator[float]:
    """Moments at which something is tried: the next ones, and some of all that come later, the last of them too."""
    times = [first_s, *later]
    yield from times[:ONE_BY_ONE]
    rest = times[ONE_BY_ONE:]
    step = max(1, len(rest) // SPREAD_OUT)
    yield from rest[step - 1 :: step]
    if len(rest) % step:
        yield rest[-1]
