"""Which nodes are out of service when, in the times of the plan so far: what runs is put back by the shift."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from operator import itemgetter

from escalator.upgrade_manager.planner.cloud import SLACK
from escalator.upgrade_manager.planner.repair.at_once import AtOnce
from escalator.upgrade_manager.planner.repair.domains import Domains, Part
from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.repair.rows import Rest, Row

Span = tuple[float, float]
_END = itemgetter(0)


class Away:
    """Turns of all nodes while they are mended."""

    def __init__(self, given: Given, rest: Rest, late_s: float) -> None:
        self._width, self._rest, self._late_s = given.width, rest, late_s
        self._domains = Domains(given)
        self._spans = AtOnce()
        self._parts: dict[Part, AtOnce] = {}
        self.out: set[str] = set()
        """Nodes whose turns have no time at present."""
        self.refresh()

    def refresh(self) -> None:
        """Turns have got other times."""
        turns = {name: self.span(row) for name, row in self._rest.rows.items() if name not in self.out}
        self._spans = _at_once(turns.values())
        parts: dict[Part, list[Span]] = {part: [] for part in self._domains.most}
        for name, span in turns.items() if parts else ():
            for part in self._domains.of(name):
                parts[part].append(span)
        self._parts = {part: _at_once(spans) for part, spans in parts.items()}

    def span(self, row: Row) -> Span:
        """When the node is out of service."""
        started = row.away_s - self._late_s if row.begun else row.away_s
        return started, row.end_s - self._late_s if row.upgrading else row.end_s

    def reach(self, row: Row, start: float, end: float) -> bool:
        """Whether at some moment of that time so many nodes are out of service that the node, which is not yet, may not be."""
        if self._spans.reach(self._width, start, end):
            return True
        most = self._domains.most
        return any(self._parts[part].reach(most[part], start, end) for part in self._domains.of(row.node.id))

    def too_many(self) -> list[Row]:
        """Turns without which never too many nodes are out of service; of those that have not begun the last to end."""
        names = self._rest.rows.keys() - self.out
        found = self._over(names, self._width) if len(self._spans) > self._width else []
        for part, there in self._parts.items():
            most = self._domains.most[part]
            if len(there) > most:
                kept = names - {row.node.id for row in found}
                found += self._over({name for name in kept if part in self._domains.of(name)}, most)
        return found

    def _over(self, names: Iterable[str], most: int) -> list[Row]:
        rows = self._rest.rows
        there: list[tuple[float, str]] = []  # by end
        found = []
        for start, end, name in sorted((*self.span(rows[name]), name) for name in names):
            del there[: bisect_right(there, start + SLACK, key=_END)]
            insort(there, (end, name))
            if len(there) > most and not rows[name].begun:
                number = next(n for n in reversed(range(len(there))) if not rows[there[n][1]].begun)
                found.append(rows[there.pop(number)[1]])
        return found

    def goes(self, row: Row, start: float, end: float) -> None:
        """The node is out of service then."""
        self._spans.add(start, end)
        for part in self._domains.of(row.node.id):
            self._parts[part].add(start, end)

    def drops(self, row: Row) -> None:
        """The turn has no time any more."""
        self._spans.remove(*self.span(row))
        for part in self._domains.of(row.node.id):
            self._parts[part].remove(*self.span(row))
        self.out.add(row.node.id)

    def takes(self, row: Row) -> None:
        """The turn has a time again."""
        self.out.discard(row.node.id)
        self.goes(row, *self.span(row))


def _at_once(spans: Iterable[Span]) -> AtOnce:
    there = [*spans]
    return AtOnce([start for start, _ in there], [end for _, end in there])
