"""Maintenance windows in a repair: what runs late makes its own night later, and no other one.

Turns of later nights stay where they are. While a plan is mended, all times are those of the plan so far, in which everything is
so much earlier; there, turns of later nights are put forward by as much, and come back as they were.
"""

from __future__ import annotations

from collections.abc import Iterable

from escalator.model.plan import Move
from escalator.upgrade_manager.planner.cloud import SLACK
from escalator.upgrade_manager.planner.lead import waits_s
from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.repair.rows import Rest, Row
from escalator.upgrade_manager.planner.scope import UNDER_WAY


class Nights:
    """The campaign's windows around a rest that is so much later."""

    def __init__(self, given: Given, rest: Rest, late_s: float) -> None:
        self._given, self._rest, self.late_s = given, rest, late_s
        self._as_was: dict[int, tuple[Move, Move]] = {}
        """Moves of later nights as they were, by what stands for them; that is kept too, so that its number stays its own."""
        self._rows: dict[str, tuple[float, float, float, float]] = {}
        self._slowest_s = 0.0 if given.windows.open else _slowest_s(given)

    def put_forward(self) -> None:
        """Let turns of later nights be where they are found again when everything is later."""
        windows = self._given.windows
        tonight = self._given.tonight
        for name, row in self._rest.rows.items() if self.late_s else ():
            if row.begun or windows.index(row.away_s) <= tonight:
                continue
            self._rows[name] = row.start_s, row.end_s, row.away_s, row.start_s - self.late_s
            row.start_s, row.end_s, row.away_s = (at - self.late_s for at in self._rows[name][:3])
            row.moves = [self._earlier(move) for move in row.moves]
        if self._rows:
            self._rest.put_forward = True
            arrivals: dict[str, list[Move]] = {}
            for row in self._rest.rows.values():
                for move in row.moves:
                    arrivals.setdefault(move.target, []).append(move)
            self._rest.arrivals = dict(arrivals)

    def _earlier(self, move: Move) -> Move:
        made = later(move, -self.late_s)
        self._as_was[id(made)] = move, made
        return made

    def put_back(self) -> None:
        """Let everything that has not begun be so much later, and turns of later nights as they were.

        Moves are put back of turns alone that were changed.
        """
        for name, row in self._rest.rows.items() if self.late_s else ():
            if row.changed:
                row.moves = [
                    self._as_was[id(move)][0] if id(move) in self._as_was else later(move, self.late_s) for move in row.moves
                ]
            was = self._rows.get(name)
            if was is not None and row.start_s == was[3]:
                row.start_s, row.end_s = was[:2]
            elif not row.upgrading:
                row.start_s += self.late_s
                row.end_s += self.late_s
            if row.changed and not row.begun:
                row.away_s = min([row.start_s, *(move.start_s for move in row.moves)])
            elif not row.begun:
                row.away_s = was[2] if was is not None else row.away_s + self.late_s

    def overrun(self) -> list[Row]:
        """Turns that did not begin in their night, or would pass its end when they are so much later."""
        windows, tonight = self._given.windows, self._given.tonight
        if windows.open:
            return []
        rows = [row for name, row in self._rest.rows.items() if not row.begun and name not in self._rows]
        return [r for r in rows if windows.index(r.away_s) < tonight or (self.late_s and not self._stays(r))]

    def _stays(self, row: Row) -> bool:
        """Whether a turn of this night is still one of this night."""
        tonight = self._given.windows.index(row.away_s + self.late_s) == self._given.tonight
        return tonight and self.holds(row, row.away_s, row.end_s)

    def holds(self, row: Row, away_s: float, end_s: float) -> bool:
        """Whether a turn of the node from then to then lies in a window, nine times out of ten and with time for a rollback."""
        given = self._given
        if given.windows.open:
            return True
        estimates = given.campaign.spec.estimates
        rollback_s = self._slowest_s if estimates.rollback_s is None else estimates.rollback_s
        lead_s = waits_s(given.campaign.spec, given.inventory.instances_by_node.get(row.node.id, ()))
        away_s, end_s = away_s + self.late_s, end_s + self.late_s
        return away_s + estimates.p90 * (end_s - away_s) + rollback_s + lead_s <= given.windows.end(away_s) + SLACK

    def opens(self, from_s: float) -> list[float]:
        """When later windows open than that time: all that have turns, and the next one."""
        windows = self._given.windows
        if windows.open:
            return []
        last = windows.index(self._given.parent.totals.makespan_s)
        return [at - self.late_s for at in windows.starts[: min(last + 2, len(windows.starts) - 1)] if at - self.late_s > from_s]


def _slowest_s(given: Given) -> float:
    """The longest of all upgrades that have not begun: a rollback may take as long."""
    fresh = (given.campaign.spec.estimates.upgrade_of(node) for node in given.nodes if node.progress not in UNDER_WAY)
    return max(fresh, default=0.0)


def later_until(moves: Iterable[Move], by_s: float, until_s: float) -> list[Move]:
    """The same moves so much later, but for those that begin then or after: these stay as they are."""
    there = [*moves]
    rows = [move.__dict__ for move in there]
    made = iter(
        Move.all_of_values(
            {**values, "start_s": values["start_s"] + by_s, "end_s": values["end_s"] + by_s}
            for values in rows
            if values["start_s"] < until_s
        )
    )
    return [next(made) if values["start_s"] < until_s else move for move, values in zip(there, rows, strict=True)]


def later(move: Move, by_s: float) -> Move:
    """The same move so much later."""
    return Move.of_values({**move.__dict__, "start_s": move.start_s + by_s, "end_s": move.end_s + by_s})
