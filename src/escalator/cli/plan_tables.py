"""The tables of a plan that tell times: a narrow screen is told each day once, and not what can be spared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from escalator.cli.gantt import turns
from escalator.cli.plan_times import Times
from escalator.cli.spans import span, zoned

SHOWN = 40
"""Rows of each table before the rest is counted; `--full` prints all."""
WHO = 4
"""Nodes of a window that are named before the rest is counted; `--full` names all."""
ROOMY = 100
"""Columns of a screen that has room for whole times in every row."""
WORK = {"upgrade": "Upgrade", "rollback": "Rollback", "restore": "Restore"}
"""What is done in the turns of a plan, by its purpose."""
Plan = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ByWidth:
    """Something that is drawn in two ways: `draw` is told whether the screen is narrow."""

    draw: Callable[[bool], RenderableType]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it: rich asks for this."""
        yield self.draw(options.max_width < ROOMY)


class _When:
    """The cells of a table that tell times. On a narrow screen a day stands in a row of its own, above those of that day."""

    def __init__(self, times: Times, table: Table, column: int, *, narrow: bool) -> None:
        self._times, self._table, self._column, self._narrow = times, table, column, narrow
        self._day = ""

    def __call__(self, start_s: float, end_s: float) -> str:
        """The time, after the row of its day where that begins."""
        if not self._narrow:
            return self._times.interval(start_s, end_s)
        day = self._times.day(start_s)
        if day != self._day:
            self._table.add_row(*[""] * self._column, Text(day, "bold"))
            self._day = day
        return self._times.clock(start_s, end_s)


def windows(plan: Plan, rows: int | None) -> RenderableType:
    """Which night is which, and who has a turn in it: the other tables only number them."""
    names: dict[int, list[str]] = {}
    for node, _, _, _, number in turns(plan):
        names.setdefault(number, []).append(node)
    found = table("Windows", "Window", "Opens", "Closes", "Nodes", "Who", right=("Window", "Nodes"))
    for row in plan["windows"][:rows]:
        who = names.get(row["window"], [])
        most = len(who) if rows is None else WHO
        said = ", ".join(who[:most]) + (f" and {len(who) - most} more" if len(who) > most else "")
        said = said or f"no turn fits into it: it is open for {span(_open_s(row))}"
        opens, closes = zoned(row["opens"]), zoned(row["closes"]) if row["closes"] else ""
        # The day and the zone are said once where both are the same.
        day, zone = opens[:14], opens[-9:]
        closes = closes.removeprefix(day).removesuffix(zone) if closes.startswith(day) and closes.endswith(zone) else closes
        found.add_row(str(row["window"] + 1), opens, closes, str(row["nodes"]), said)
    return with_rest(found, len(plan["windows"]), rows)


def _open_s(row: Mapping[str, Any]) -> float:
    """For how long a window is open that closes."""
    return (datetime.fromisoformat(row["closes"]) - datetime.fromisoformat(row["opens"])).total_seconds()


def nodes(plan: Plan, rows: int | None) -> RenderableType:
    """Who has a turn when, and what kept it from an earlier one."""
    return ByWidth(lambda narrow: _nodes(plan, rows, narrow=narrow))


def _nodes(plan: Plan, rows: int | None, *, narrow: bool) -> RenderableType:
    leaving = Counter(move["from"] for move in plan["moves"])
    arriving = Counter(move["to"] for move in plan["moves"])
    staying = Counter(impact["node"] for impact in plan["impacts"])
    times = Times(plan)
    work = WORK.get(plan.get("purpose", "upgrade"), "Upgrade")
    names = ("Wave", "Node", work, *(() if narrow else ("Takes",)), "Leave", "Stay", "Arrive", "Waits for")
    found = table(f"Nodes by wave{times.said}", *names, right=("Wave", "Leave", "Stay", "Arrive"), narrow=narrow)
    when = _When(times, found, 2, narrow=narrow)
    upgrades = sorted(plan["upgrades"], key=lambda u: (u["wave"], u["start_s"], u["node"]))
    last = 0
    for upgrade in upgrades[:rows]:
        node, wave, waits = upgrade["node"], upgrade["wave"], upgrade.get("waits", "")
        if last and wave != last:
            found.add_section()
        turn = [when(upgrade["start_s"], upgrade["end_s"])]
        turn += [] if narrow else [span(upgrade["end_s"] - upgrade["start_s"])]
        counts = (str(count[node] or "") for count in (leaving, staying, arriving))
        # How much room an instance needs is told where there is place for it.
        waits = waits.partition(" (")[0] if narrow else waits
        found.add_row(str(wave) if wave != last else "", node, *turn, *counts, Text(waits, "dim"))
        last = wave
    return with_rest(found, len(upgrades), rows)


def hits(plan: Plan, rows: int | None) -> RenderableType:
    """By VNF, and for each its nights: who answers for one reads its rows only. What is cut, is cut between two VNFs."""
    return ByWidth(lambda narrow: _hits(plan, rows, narrow=narrow))


def _hits(plan: Plan, rows: int | None, *, narrow: bool) -> RenderableType:
    times = Times(plan)
    names = ("VNF", "Window", "From - to", "Moved", "Stayed", "Hit for", "At once")
    found = table(f"VNFs that are hit{times.said}", *names, right=("Moved", "Stayed", "At once"), narrow=narrow)
    hits = sorted(plan["hits"], key=lambda hit: (hit["vnf"], hit["window"]))
    # A few more than fit are no reason to leave some out.
    rows = None if rows is not None and len(hits) <= rows * 3 // 2 else rows
    opens = {row["window"]: times.day(row["starts_s"]) for row in plan.get("windows", ()) if row.get("starts_s") is not None}
    shown, last = 0, ""
    for hit in hits:
        if hit["vnf"] != last and rows is not None and shown >= rows:
            break
        counts = [str(hit[key] or "") for key in ("moved", "stayed")]
        when = "" if hit.get("begins_s") is None else times.interval(hit["begins_s"], hit["ends_s"])
        # The window tells the day, where it has but one.
        when = when.removeprefix(opens.get(hit["window"], "")).lstrip() if narrow else when
        name = hit["vnf"] if hit["vnf"] != last else ""
        found.add_row(name, str(hit["window"] + 1), when, *counts, span(hit["impacted_s"]), str(hit["at_once"]))
        shown, last = shown + 1, hit["vnf"]
    return with_rest(found, len(hits), shown)


def moves(plan: Plan, rows: int | None) -> RenderableType:
    """Which instance goes where, and when."""
    return ByWidth(lambda narrow: _moves(plan, rows, narrow=narrow))


def _moves(plan: Plan, rows: int | None, *, narrow: bool) -> RenderableType:
    times = Times(plan)
    found = table(f"Moves{times.said}", "When", "Instance", "From → to", "How", narrow=narrow)
    when = _When(times, found, 0, narrow=narrow)
    moves = sorted(plan["moves"], key=lambda m: (m["start_s"], m["instance"]))
    for move in moves[:rows]:
        how = move["kind"] + (" (extra)" if move.get("extra") else "")
        found.add_row(when(move["start_s"], move["end_s"]), move["instance"], f"{move['from']} → {move['to']}", how)
    return with_rest(found, len(moves), rows)


def impacts(plan: Plan, rows: int | None) -> RenderableType:
    """What stays on its node while that is upgraded, and when."""
    return ByWidth(lambda narrow: _impacts(plan, rows, narrow=narrow))


def _impacts(plan: Plan, rows: int | None, *, narrow: bool) -> RenderableType:
    times = Times(plan)
    found = table(f"Instances that stay on their node{times.said}", "When", "Instance", "Node", "How", narrow=narrow)
    when = _When(times, found, 0, narrow=narrow)
    impacts = sorted(plan["impacts"], key=lambda i: (i["start_s"], i["instance"]))
    for impact in impacts[:rows]:
        found.add_row(when(impact["start_s"], impact["end_s"]), impact["instance"], impact["node"], impact["kind"])
    return with_rest(found, len(impacts), rows)


def table(title: str, *columns: str, right: Sequence[str] = (), narrow: bool = False) -> Table:
    """A table without lines; on a narrow screen its columns stand closer together."""
    padding = (0, 1 if narrow else 2, 0, 0)
    found = Table(title=title, title_justify="left", title_style="bold", box=None, padding=padding, header_style="dim")
    for column in columns:
        found.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return found


def with_rest(table: Table, count: int, rows: int | None) -> RenderableType:
    """The table, and how many rows it leaves out."""
    if rows is None or count <= rows:
        return table
    return Group(table, Text(f"… and {count - rows} more: --full shows all", style="dim"))
