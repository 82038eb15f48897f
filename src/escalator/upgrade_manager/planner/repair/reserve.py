"""The reserve of empty hosts while turns are mended: so many stay empty whenever a node goes or takes its first instance.

Looked at only where a campaign asks for one. What cannot be told for sure counts as not holding: then there is the search.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from escalator.model.inventory import Instance
from escalator.upgrade_manager.planner.cloud import SLACK
from escalator.upgrade_manager.planner.repair.away import Span
from escalator.upgrade_manager.planner.repair.clock import Clock
from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.repair.rows import Rest, Row
from escalator.upgrade_manager.planner.scope import is_out


@dataclass(frozen=True, slots=True)
class _Empty:
    """When hosts are in service without any instance, as turns stand, in the times of the plan so far."""

    since: dict[str, float]
    """For each host the last time from which on it is empty; only of those that are so once more at all."""
    until: dict[str, float]
    """When the first instance comes to each host."""
    begins: Sequence[float]
    ends: Sequence[float]
    looks: Sequence[float]
    """When a node goes, or takes its first instance."""

    def at(self, at_s: float) -> int:
        """How many are empty then."""
        return bisect_right(self.begins, at_s + SLACK) - bisect_right(self.ends, at_s + SLACK)


class Reserve:
    """Whether enough hosts stay empty."""

    def __init__(self, given: Given, rest: Rest, clock: Clock) -> None:
        self._given, self._rest, self._clock = given, rest, clock
        self._least = given.campaign.spec.waves.reserve_hosts
        scope = given.campaign.spec.scope
        hosts = given.inventory.nodes if self._least else ()
        self._hosts = [node.id for node in hosts if "compute" in node.roles and scope.includes(node) and not is_out(node)]
        self._seen: _Empty | None = None

    def changed(self) -> None:
        """Turns or moves have got other times or targets."""
        self._seen = None

    def holds(self) -> bool:
        """Whether the reserve holds whenever it is looked at."""
        return not self._least or all(self._empty.at(at_s) >= self._least for at_s in self._empty.looks)

    def spares(self, name: str, at_s: float) -> bool:
        """Whether an instance may come to the node then."""
        return not self._least or self._without(self._taken(name, at_s), at_s)

    def allows(self, row: Row, end_s: float, placed: Sequence[tuple[Instance, tuple[str, tuple[int, ...]], Span]]) -> bool:
        """Whether the node, which has no turn, may have one until then in which these instances leave it."""
        if not self._least:
            return True
        first: dict[str, float] = {}
        for _, (target, _), (start_s, _) in placed:
            first[target] = min(start_s, first.get(target, inf))
        away_s = min(first.values(), default=end_s - self._given.campaign.spec.estimates.upgrade_of(row.node))
        taken = [span for target, at_s in first.items() for span in self._taken(target, at_s)]
        if row.node.id in self._empty.since:
            taken.append((away_s, end_s))
        return self._without(taken, away_s)

    def _taken(self, name: str, at_s: float) -> list[Span]:
        """When the host is empty no more if its first instance comes then."""
        empty, until_s = self._empty, self._empty.until.get(name, inf)
        return [(at_s, until_s)] if name in empty.since and at_s < until_s else []

    def _without(self, taken: Sequence[Span], at_s: float) -> bool:
        """Whether the reserve holds then, and whenever it is looked at while these are empty no more."""
        empty = self._empty
        looks = {at_s, *(start for start, _ in taken)}
        for start, end in taken:
            looks.update(empty.looks[bisect_left(empty.looks, start - SLACK) : bisect_left(empty.looks, end)])
        return all(empty.at(look) - _over(taken, look) >= self._least for look in looks)

    @property
    def _empty(self) -> _Empty:
        if self._seen is None:
            self._seen = self._look()
        return self._seen

    def _look(self) -> _Empty:
        away, rows, late_s = self._clock.away, self._rest.rows, self._clock.late_s
        until = {target: min(move.start_s for move in moves) for target, moves in self._rest.arrivals.items() if moves}
        own = {target: any(not rows[m.origin].begun for m in moves) for target, moves in self._rest.arrivals.items() if moves}
        for row in rows.values():
            for move in row.running:
                until[move.target] = min(until.get(move.target, inf), move.start_s - late_s)
        spans: list[Span] = []
        since: dict[str, float] = {}
        looks = [away.span(row)[0] for name, row in rows.items() if not row.begun and name not in away.out]
        for name in self._hosts:
            found = rows.get(name)
            turn = None if found is None or name in away.out else found
            there = bool(self._given.inventory.instances_by_node.get(name))
            first_s = until.get(name, inf)
            if turn is None:
                spans += [] if there else [(-inf, first_s)]
                since |= {} if there else {name: -inf}
                continue
            away_s, end_s = away.span(turn)
            if not there and not turn.begun:
                spans.append((-inf, away_s))
            if not turn.stays:
                since[name] = end_s
                spans.append((end_s, max(end_s, first_s)))
        looks += [until[name] for name in since if own.get(name)]
        looks = sorted(at_s for at_s in looks if at_s >= self._clock.now_s - SLACK)
        return _Empty(since, until, sorted(start for start, _ in spans), sorted(end for _, end in spans), looks)


def _over(taken: Iterable[Span], at_s: float) -> int:
    return sum(start - SLACK <= at_s < end for start, end in taken)
