"""The plan so far in columns: read once, when it is first asked for, and known for as long as the plan is.

Nothing in it depends on the cloud or on how far the campaign is, so whoever follows a plan can have it read before anything
happens.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from operator import itemgetter

from escalator.model.plan import Move, Plan
from escalator.upgrade_manager.planner.uncollected import uncollected

Entries = int | tuple[int, ...] | None
"""NUMA entries as a document writes them."""
_READ = itemgetter("instance", "origin", "target", "start_s", "end_s", "numa_cell")


@dataclass(frozen=True, slots=True)
class Departures:
    """Moves from one node."""

    numbers: Sequence[int] = ()
    """Their places in the plan."""
    moves: Sequence[Move] = ()
    lasts_s: float = 0.0
    """How long they last, one after the other."""
    longest_s: float = 0.0
    first_s: float = inf
    """When the first of them begins."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Moves to one node."""

    numbers: Sequence[int]
    moves: Sequence[Move]


class SoFar:
    """The moves of a plan, by their places in it."""

    def __init__(self, plan: Plan) -> None:
        self.moves = plan.moves
        # A look at what a model keeps is quicker than at its attributes, and it is taken once for all of them.
        rows = [*map(_READ, map(vars, plan.moves))]
        self.instances: list[str] = [row[0] for row in rows]
        self.origins: list[str] = [row[1] for row in rows]
        self.targets: list[str] = [row[2] for row in rows]
        self.starts: list[float] = [row[3] for row in rows]
        self.ends: list[float] = [row[4] for row in rows]
        self.entries: list[Entries] = [row[5] for row in rows]
        self.cold = [number for number, move in enumerate(plan.moves) if move.kind != "live"]
        """Moves that are not live."""
        self.extra = [number for number, move in enumerate(plan.moves) if move.extra]
        """Moves beyond one per instance."""
        self.leaving: Mapping[str, Departures] = {name: self.departures(there) for name, there in _by(self.origins).items()}
        self.arriving: Mapping[str, Arrivals] = {name: self.arrivals(there) for name, there in _by(self.targets).items()}

    def arrivals(self, numbers: Sequence[int]) -> Arrivals:
        """Some of the moves to one node."""
        return Arrivals(numbers, [self.moves[number] for number in numbers])

    def departures(self, numbers: Sequence[int]) -> Departures:
        """Some of the moves from one node."""
        starts, ends = self.starts, self.ends
        first, total, longest = inf, 0.0, 0.0
        for number in numbers:
            start = starts[number]
            lasts = ends[number] - start
            total += lasts
            longest = max(longest, lasts)
            first = min(first, start)
        return Departures(numbers, [self.moves[number] for number in numbers], total, longest, first)


def _by(names: Sequence[str]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(names):
        found[name].append(number)
    return dict(found)


_KNOWN: dict[int, tuple[weakref.ref[Plan], SoFar]] = {}
"""By the plan's own number, for as long as there is the plan: what was read of it is gone with it."""


def so_far(plan: Plan) -> SoFar:
    """The plan in columns."""
    known = _KNOWN.get(id(plan))
    if known is not None and known[0]() is plan:
        return known[1]
    number = id(plan)
    with uncollected():
        found = SoFar(plan)
    _KNOWN[number] = weakref.ref(plan, lambda _: _KNOWN.pop(number, None)), found
    return found
