"""How fast room on upgraded nodes can grow: two lower bounds on the makespan. Their proofs are in docs/explanation/planner.md.

`generations` counts how often nodes have to wait for others, `grown` lets time go in steps: for each the room that nodes
emptied by then can give is bounded by what can have arrived on upgraded ones. What is rounded is rounded in their favour.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import inf

from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Shape
from escalator.upgrade_manager.planner.sorts import Counts, takes_of
from escalator.upgrade_manager.planner.turns import Rules

MAX_CYCLES = 10_000
STEPS = 80
"""Steps of the shortest upgrade."""
MOST_STEPS = 10_000
SHARES = (0.5, 1.0)
"""Looks back, in parts of the mean time that a node needs to be emptied."""


@dataclass(slots=True)
class Row:
    """A node to upgrade: what leaves it of the resource, the room it gives, and its moves."""

    leaving: float
    gives: float
    work_s: float
    largest: float
    moves: list[tuple[float, float, int]]
    """Amount a second, seconds, and how many are alike; the quickest first."""

    def within(self, seconds: float, at_once: int) -> float:
        """The most that can leave in so much time, the quickest first."""
        rest, gone = seconds * at_once, 0.0
        for pace, lasts, count in self.moves:
            taken = min(min(lasts, seconds) * count, rest)
            gone += pace * taken
            rest -= taken
            if rest <= 0:
                break
        return gone


class Knapsack:
    """The most room of nodes whose needs fit in a sum, fractions allowed: an upper bound for every set of them."""

    def __init__(self, rows: Sequence[tuple[float, float]]) -> None:
        ordered = sorted(rows, key=lambda row: row[0] / row[1] if row[1] else inf)
        self._needs = list(accumulate((need for need, _ in ordered), initial=0.0))
        self._gains = list(accumulate((gain for _, gain in ordered), initial=0.0))

    @property
    def need(self) -> float:
        """What all of them need."""
        return self._needs[-1]

    def gain(self, room: float) -> float:
        """The most that a sum of needs of `room` gives; nodes without any need give theirs in any case."""
        at = bisect_right(self._needs, room + SLACK) - 1
        if at + 1 >= len(self._needs):
            return self._gains[-1]
        part = max(0.0, room - self._needs[at]) / (self._needs[at + 1] - self._needs[at])
        return self._gains[at] + part * (self._gains[at + 1] - self._gains[at])


@dataclass
class Nodes:
    """The nodes of a plan by one resource, and what takes arrivals from the beginning."""

    rows: list[Row] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    largest: float = 0.0
    pace: float = 0.0
    """The most of the resource that one move brings in a second."""

    @cached_property
    def knapsack(self) -> Knapsack:
        """The room of nodes by what leaves them."""
        return Knapsack([(row.leaving, row.gives) for row in self.rows])


def growth(cloud: Cloud, nodes: Sequence[int], rules: Rules, counts: Sequence[Counts]) -> float:
    """Seconds that every plan of the nodes takes at least for the room that it needs on upgraded nodes.

    Generations are counted by each resource, time by the scarcest one. `counts` is what is on each node.
    """
    upgrade_s = min(cloud.upgrade_s[node] for node in nodes)
    lasts = {sort.lasts_s for node in nodes for sort in counts[node] if sort.leaves}
    count, grown_s = 0, 0.0
    for resource in range(len(cloud.resources)):
        there = nodes_by(cloud, nodes, resource, counts)
        count = max(count, generations(there, rules.extra_moves))
        if resource == cloud.key:
            grown_s = grown(there, rules, upgrade_s)
    return max(count * upgrade_s + (count - 1) * min(lasts, default=0.0), grown_s)


def generations(there: Nodes, extra_moves: int) -> int:
    """Generations that are needed at least; each takes the nodes that give most for what they need."""
    given = there.knapsack
    known = sum(there.known) + extra_moves * there.largest
    room, count = known, 0
    while count < MAX_CYCLES:
        count += 1
        following = known + given.gain(room)
        if given.need <= room + SLACK or following <= room + SLACK:
            return count
        room = following
    return count


def grown(there: Nodes, rules: Rules, upgrade_s: float) -> float:
    """Seconds until all nodes can be empty, and one upgrade more; 0 where moves or upgrades take no time."""
    works = [row.work_s for row in there.rows if row.work_s > 0]
    if there.pace in (0.0, inf) or not upgrade_s:
        return 0.0
    step = upgrade_s / STEPS
    mean = sum(works) / len(works) / rules.per_node
    looks = sorted({max(1, round(share * mean / step)) for share in SHARES})
    return _Growth(there, rules, step, looks).steps() * step + upgrade_s


def nodes_by(cloud: Cloud, nodes: Sequence[int], resource: int, counts: Sequence[Counts]) -> Nodes:
    """The nodes to upgrade, and what is free on those that are done, by one resource (its number in the cloud)."""
    found = Nodes()
    todo = set(nodes)
    amounts = takes_of(cloud, resource)
    for node, cells in enumerate(cloud.cells):
        if node not in todo and not cloud.done[node]:
            continue
        capacity = sum([cloud.capacity[cell][resource] for cell in cells])
        if node in todo:
            found.rows.append(_row(counts[node], capacity, amounts, paced=resource == cloud.key))
            continue
        free = capacity - sum([cloud.used[cell][resource] for cell in cells])
        found.known.append(max(0.0, free))
    found.largest = max((row.largest for row in found.rows), default=0.0)
    found.pace = max((row.moves[0][0] for row in found.rows if row.moves), default=0.0)
    return found


def _row(there: Counts, capacity: float, amounts: Mapping[Shape, float], *, paced: bool) -> Row:
    leaving = staying = work = largest = 0.0
    moves = []
    for (shape, lasts_s, leaves), count in there.items():
        amount = amounts[shape]
        if not leaves:
            staying += amount * count
            continue
        leaving += amount * count
        work += lasts_s * count
        largest = max(largest, amount)
        if paced and amount > 0:
            moves.append((amount / lasts_s if lasts_s > 0 else inf, lasts_s, count))
    moves.sort(reverse=True)
    return Row(leaving, max(0.0, capacity - staying), work, largest, moves)


class _Growth:
    """The recursion over time, in steps."""

    def __init__(self, there: Nodes, rules: Rules, step: float, looks: Sequence[int]) -> None:
        rows = there.rows
        self._step, self._total = step, rules.total
        self._spare = rules.extra_moves * there.largest
        self._arrives = there.pace * rules.per_node
        self._known, self._taking = sum(there.known), sum(free > 0 for free in there.known)
        smallest = min((row.gives for row in rows if row.gives > 0), default=0.0)
        self._fills = smallest / self._arrives / step
        """Steps that the smallest node takes at least to be filled."""
        self._all = there.knapsack
        self._work = Knapsack([(row.work_s, row.gives) for row in rows])
        self._first = 0 if there.known or rules.extra_moves else STEPS
        alike: Counter[tuple[float, float]] = Counter()
        for row in rows:
            for pace, lasts, count in row.moves:
                alike[pace, lasts] += count
        moves = [(pace, lasts * count) for (pace, lasts), count in sorted(alike.items(), reverse=True)]
        self._looks = []
        for back in looks:
            seconds = back * step
            left = [(max(0.0, row.leaving - row.within(seconds, rules.per_node)), row.gives) for row in rows]
            self._looks.append((back, Knapsack(left), _most(moves, seconds * rules.total)))
        self._gained: list[float] = []
        self._sums = [0.0]
        self._rooms: list[float] = []

    def steps(self) -> int:
        """Whole steps before which not all nodes can be empty."""
        for now in range(MOST_STEPS):
            self._rooms.append(self._room(now))
            if self._all_fit(now):
                return max(0, now - 1)
            gained = self._gain(now)
            self._gained.append(gained)
            self._sums.append(self._sums[-1] + gained)
        return MOST_STEPS - 1

    def _room(self, now: int) -> float:
        """What upgraded nodes can have taken by then: each only so much a second since its upgrade."""
        taken = min(self._known, self._arrives * self._taking * now * self._step)
        newest = now - STEPS
        if newest < 0:
            return taken
        if self._fills <= 1:
            return taken + self._gained[newest]
        whole = int(self._fills)
        full = self._sums[newest + 1] - self._sums[max(0, newest + 1 - whole)]
        if newest - whole >= 0:
            full += (self._fills - whole) * self._gained[newest - whole]
        return taken + full / self._fills

    def _at(self, now: int) -> float:
        return self._spare + (self._rooms[now] if now >= 0 else 0.0)

    def _work_s(self, now: int) -> float:
        return max(0, now - self._first) * self._step * self._total

    def _gain(self, now: int) -> float:
        found = min(self._all.gain(self._at(now)), self._work.gain(self._work_s(now)))
        for back, rest, moved in self._looks:
            room = self._at(now - back)
            found = min(found, rest.gain(room), self._all.gain(room + moved))
        return found

    def _all_fit(self, now: int) -> bool:
        if self._all.need > self._at(now) + SLACK or self._work.need > self._work_s(now) + SLACK:
            return False
        return all(
            rest.need <= self._at(now - back) + SLACK and self._all.need <= self._at(now - back) + moved + SLACK
            for back, rest, moved in self._looks
        )


def _most(moves: Sequence[tuple[float, float]], seconds: float) -> float:
    """The most of the resource that moves of so many seconds in all bring. Given are the pace and the seconds of all alike."""
    brought = 0.0
    for pace, lasts in moves:
        taken = min(lasts, seconds)
        brought += pace * taken
        seconds -= taken
        if seconds <= 0:
            break
    return brought
