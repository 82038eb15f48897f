"""Room for an instance that finds none: one that was placed before goes elsewhere instead, at the same moment.

Upgraded nodes only fill up. Where an instance was to go to one of them it could as well have gone to any other that was
upgraded by then, took one more at that time, and has room for it now. So nothing moves twice, and no time changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Guest
from escalator.upgrade_manager.planner.space import Space
from escalator.upgrade_manager.planner.standing import Standing
from escalator.upgrade_manager.planner.turns import Rules, Turn

LOOKS = 20_000
"""Instances that one run of the search looks at for this."""
ELSEWHERE = 16
"""Other nodes that are looked at for each of them."""
SEVERAL = 4
"""Instances that make room for one."""

Place = tuple[int, tuple[int, ...]]
"""A node and the cells there."""


@dataclass(slots=True, eq=False)
class Arrival:
    """A move of a turn that is over, with the place that it goes to as things stand."""

    turn: int
    move: int
    guest: Guest
    target: int
    cells: tuple[int, ...]
    start_s: float
    end_s: float


class Chains:
    """Looks for such room among the turns of one run of the search, when none of its moves is under way any more."""

    def __init__(self, standing: Standing, new: Space, rules: Rules) -> None:
        self._standing, self._new, self._rules = standing, new, rules
        self._cloud: Cloud = standing.cloud
        self._looks = LOOKS
        self._turns: list[Turn] = []
        self._at: defaultdict[int, list[Arrival]] = defaultdict(list)
        self._back_s: dict[int, float] = {}
        self._undone: list[tuple[Arrival, Place]] = []

    def begin(self, turns: list[Turn]) -> None:
        """From these turns; nothing of them is under way."""
        self._turns = turns
        self._at.clear()
        self._back_s = {turn.node: turn.end_s for turn in turns}
        self._undone.clear()
        for number, turn in enumerate(turns):
            for place, move in enumerate(turn.moves):
                one = move.placed
                # What went to a node before its turn has left it again with that.
                if one.target in self._new and not one.extra:
                    found = Arrival(number, place, one.guest, one.target, one.cells, move.start_s, move.end_s)
                    self._at[one.target].append(found)

    def place(self, guest: Guest) -> Place | None:
        """Where it goes after another instance has made room, which is noted; it does not take the place yet."""
        if self._looks <= 0 or not _alone(guest):
            return None
        for target in self._targets(guest):
            arrived = sorted(self._at[target], key=self._size)
            cells = self._by_one(guest, target, arrived) or self._by_several(guest, target, arrived)
            if cells:
                return target, cells
        return None

    def keep(self) -> None:
        """What was changed stays so."""
        for number in {there.turn for there, _ in self._undone}:
            turn = self._turns[number]
            moves = list(turn.moves)
            for there, _ in self._undone:
                if there.turn == number:
                    placed = moves[there.move].placed._replace(target=there.target, cells=there.cells)
                    moves[there.move] = moves[there.move]._replace(placed=placed)
            self._turns[number] = replace(turn, moves=tuple(moves))
        self._undone.clear()

    def revert(self) -> None:
        """All goes where it went before."""
        self._back_to(0)

    # -- inside

    def _size(self, there: Arrival) -> float:
        return there.guest.shape.takes(self._cloud.key)

    def _targets(self, guest: Guest) -> Iterator[int]:
        """Upgraded nodes that it may be on, those with most room first."""
        free, key, cells = self._standing.free, self._cloud.key, self._cloud.cells
        nodes = [node for node in self._at if node in self._new and self._new.may_go(guest.shape, node)]
        nodes.sort(key=lambda node: (-sum(free[cell][key] for cell in cells[node]), node))
        return (node for node in nodes if self._standing.may_join(guest, node, soft=True))

    def _may_change(self, there: Arrival) -> bool:
        """Whether its move is still to come, and where it goes is no concern of any group but for who is on its node."""
        self._looks -= 1
        return self._looks > 0 and there.start_s >= self._rules.at_s - SLACK and _alone(there.guest)

    def _would_fit(self, guest: Guest, there: Arrival) -> bool:
        """Whether the node has the cells for it once the other one does not come."""
        gives = dict(there.guest.shape.demand)
        fitting = 0
        for cell in self._cloud.cells[there.target]:
            more, free = gives if cell in there.cells else {}, self._standing.free[cell]
            fitting += all(free[resource] + more.get(resource, 0.0) + SLACK >= amount for resource, amount in guest.shape.demand)
        return fitting >= guest.shape.span

    def _by_one(self, guest: Guest, target: int, arrived: Sequence[Arrival]) -> tuple[int, ...]:
        """The cells that the guest has once one of these goes elsewhere; empty when none can, and nothing changed then."""
        for there in arrived:
            if self._may_change(there) and self._would_fit(guest, there):
                before = len(self._undone)
                cells = self._standing.together(guest.shape, target) if self._goes_elsewhere(there) else ()
                if cells:
                    return cells
                self._back_to(before)
        return ()

    def _by_several(self, guest: Guest, target: int, arrived: Sequence[Arrival]) -> tuple[int, ...]:
        """The same when several of them go elsewhere, the largest first."""
        before = len(self._undone)
        for there in reversed(arrived):
            if len(self._undone) - before < SEVERAL and self._may_change(there) and self._goes_elsewhere(there):
                cells = self._standing.together(guest.shape, target)
                if cells:
                    return cells
        self._back_to(before)
        return ()

    def _goes_elsewhere(self, there: Arrival) -> bool:
        place = self._elsewhere(there)
        if place is None:
            return False
        self._undone.append((there, (there.target, there.cells)))
        self._put(there, place)
        return True

    def _put(self, there: Arrival, place: Place) -> None:
        self._new.take(there.guest, there.target, there.cells, -1)
        self._at[there.target].remove(there)
        there.target, there.cells = place
        self._at[there.target].append(there)
        self._new.take(there.guest, *place)

    def _back_to(self, before: int) -> None:
        while len(self._undone) > before:
            self._put(*self._undone.pop())

    def _elsewhere(self, there: Arrival) -> Place | None:
        places = self._new.places(there.guest, ELSEWHERE, soft=True)
        return next((place for place in places if place[0] != there.target and self._takes_one_more(place[0], there)), None)

    def _takes_one_more(self, node: int, there: Arrival) -> bool:
        """Whether the node was upgraded by then, and fewer instances than it may take at once were on their way to it."""
        back_s = self._back_s.get(node, -inf if self._cloud.done[node] else inf)
        beside = sum(o.start_s < there.end_s - SLACK and there.start_s < o.end_s - SLACK for o in self._at[node])
        return back_s <= there.start_s + SLACK and beside < self._rules.per_node


def _alone(guest: Guest) -> bool:
    """Whether it has no group that says more than on which node none of its members is."""
    return not (guest.tied or guest.soft or guest.watched)
