"""By how much everything that has not begun shifts, and what is under way at each moment.

All that has not begun shifts by the same time: whatever held between two parts of the plan so far holds between them still.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress
from math import inf

from escalator.model.inventory import Instance
from escalator.upgrade_manager.planner.cloud import SLACK
from escalator.upgrade_manager.planner.repair.at_once import AtOnce
from escalator.upgrade_manager.planner.repair.away import Away, Span
from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.repair.rows import Rest, Row

NEAR_S = 1e-6
"""Times as near as this are the same."""
MOST_LOOKS = 30
"""How often an impact is put off for its groups before its turn is looked at later."""


def shift_s(given: Given, rest: Rest) -> float:
    """The least shift that lets everything begin from now on, after what runs, and after groups that recover."""
    late_s = max(0.0, rest.late_s, given.at_s - rest.first_s)
    for name, opens in recovering(given):
        if opens >= given.windows.end(given.at_s):
            continue  # its turns of tonight are put off
        late_s = max(late_s, opens - min(_starts(given, rest, name), default=inf))
    return late_s if late_s > NEAR_S else 0.0


def recovering(given: Given) -> Iterator[tuple[str, float]]:
    """Groups that have not recovered yet from what is over, and when they will have."""
    for name, at in given.progress.ended.items():
        if name in given.inventory.members:
            opens = given.windows.recovers(at, given.inventory.group_by_id[name].recovery_s)
            if opens > given.at_s:
                yield name, opens


def _starts(given: Given, rest: Rest, group: str) -> Iterator[float]:
    """When members of the group are impacted tonight; turns of other nights do not shift."""
    for member in given.inventory.members[group]:
        row = rest.rows.get(member.node)
        if row is not None and (row.begun or given.windows.index(row.away_s) == given.tonight):
            yield from _to_come(row, member)


def _to_come(row: Row, instance: Instance) -> Iterator[float]:
    if row.upgrading:
        return
    yield from (move.start_s for move in row.moves if move.instance == instance.id)
    yield from (row.start_s for other, kind in row.stays if other.id == instance.id and kind != "offline")


class Clock:
    """Spans of everything, in the times of the plan so far: what runs is put back by the shift."""

    def __init__(self, given: Given, rest: Rest, late_s: float) -> None:
        self._given, self._rest, self.late_s = given, rest, late_s
        self.now_s = given.at_s - late_s
        self._moves: AtOnce | None = None
        """All moves, once somebody asks."""
        self.away = Away(given, rest, late_s)
        self._more: dict[str, Span] = {}
        """Moves that have got other times."""
        self.aside: Row | None = None
        """A turn whose upgrade is looked for another time for."""

    def upgrade(self, row: Row) -> Span:
        """When the node is upgraded."""
        late_s = self.late_s if row.upgrading else 0.0
        return row.start_s - late_s, row.end_s - late_s

    def _all_moves(self) -> AtOnce:
        if self._moves is None:
            rows, late_s, so_far = self._rest.rows.values(), self.late_s, self._given.so_far
            others = [row for row in rows if row.changed or self._rest.put_forward]
            stands = [*self._rest.stands]
            for row in others:
                for number in row.kept:
                    stands[number] = False
            spans = [(move.start_s, move.end_s) for row in others for move in row.moves]
            spans += [(move.start_s - late_s, move.end_s - late_s) for row in rows for move in row.running]
            starts = [*compress(so_far.starts, stands), *(start for start, _ in spans)]
            self._moves = AtOnce(starts, [*compress(so_far.ends, stands), *(end for _, end in spans)])
        return self._moves

    def moving(self, most: int, start: float, end: float) -> bool:
        """Whether so many instances move at once at some moment of that time."""
        return self._all_moves().reach(most, start, end)

    def moved(self, instance: Instance, start: float, end: float) -> None:
        """The instance moves then."""
        self._all_moves().add(start, end)
        self._more[instance.id] = (start, end)

    def opens(self, instances: Iterable[Instance], start: float, lasts_s: float, taken: dict[str, list[Span]]) -> float:
        """When their groups let all of them be impacted together for so long, at `start` at the earliest; infinite: not soon.

        `taken`: spans of the same turn, by group.
        """
        count: dict[str, int] = {}
        for instance in instances:
            start = max(start, self._lead_s(instance))
            for name in instance.groups:
                count[name] = count.get(name, 0) + 1
        for _ in range(MOST_LOOKS):
            later = max((self._free(name, n, start, lasts_s, taken.get(name, [])) for name, n in count.items()), default=start)
            if later <= start + SLACK:
                return start
            start = later
        return inf

    def _lead_s(self, instance: Instance) -> float:
        lead_s = max(instance.lead_s, self._given.campaign.spec.workloads.notify.lead_time_s)
        return max([lead_s, *(self._given.inventory.group_by_id[name].lead_s for name in instance.groups)]) - self.late_s

    def _free(self, name: str, number: int, start: float, lasts_s: float, taken: list[Span]) -> float:
        """The time itself, or a later one at which the group may let them."""
        most, recovery_s = self.most(name), self._given.inventory.group_by_id[name].recovery_s
        if number > most:
            return inf
        spans = sorted([*self._spans(name), *taken])
        over = [(s, e) for s, e in spans if s < start + lasts_s - SLACK and e > start + SLACK]
        if len(over) + number > most:
            return self._recovers(min(e for _, e in over), recovery_s)
        end = start + lasts_s
        if not recovery_s:
            return start
        opens = self._recovers(end, recovery_s)
        near = [e for _, e in spans if start - recovery_s + SLACK < e <= start + SLACK < self._recovers(e, recovery_s)]
        near += [e for s, e in spans if end - SLACK <= s < opens - SLACK]
        return self._recovers(min(near), recovery_s) if near else start

    def _recovers(self, end: float, recovery_s: float) -> float:
        return self._given.windows.recovers(end + self.late_s, recovery_s) - self.late_s

    def most(self, name: str) -> int:
        """How many members of the group may be impacted at once beside those that are down."""
        inventory = self._given.inventory
        members = inventory.members[name]
        down = sum(inventory.node_by_id[member.node].state == "down" for member in members)
        return inventory.group_by_id[name].limit(len(members)) - down

    def impacts(self, name: str) -> Iterator[tuple[Span, Row]]:
        """Impacts of the group that are decided, with the turns that they are a part of."""
        for member in self._given.inventory.members[name]:
            row = self._rest.rows.get(member.node)
            if row is None:
                continue
            if member.id in self._more:
                yield self._more[member.id], row
                continue
            yield from (((m.start_s, m.end_s), row) for m in row.moves if m.instance == member.id)
            running = [m for m in row.running if m.instance == member.id]
            yield from (((m.start_s - self.late_s, m.end_s - self.late_s), row) for m in running)
            if row is self.aside or member.node in self.away.out:
                continue
            if any(i.id == member.id and kind != "offline" for i, kind in row.stays):
                yield self.upgrade(row), row

    def _spans(self, name: str) -> list[Span]:
        ended = self._given.progress.ended.get(name)
        before = [] if ended is None else [(-inf, ended - self.late_s)]
        return before + [span for span, _ in self.impacts(name)]
