"""A plan as a Gantt chart: in the terminal, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from escalator.cli.plan_times import Times
from escalator.cli.spans import offset, zoned
from escalator.model.counting import counted

WIDTH = 72
"""Columns of the time axis in the terminal, where there is room for them."""
LEGEND, LEGEND_FROM = ": ░ instances leave, █ the node is {done}", 100
DONE = {"rollback": "taken back", "restore": "restored"}
"""What happens to a node in a plan of that purpose; it is upgraded in others."""
"""What the characters are, and the columns from which on there is room to say so."""
NARROWEST = 20
"""Columns of the time axis in the narrowest terminal."""
ROW, LABEL, CHART = 18, 150, 900
"""Picture: height of a row, width of the names, width of the time axis."""
LEAVES, UPGRADED, PAPER, INK = "#f0a030", "#2f6fb0", "#ffffff", "#222222"
STEPS_S = (60, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Distances of lines on the time axis, seconds."""
MOST_TICKS = 10
MOST_ROWS = 2000
"""Rows of a picture: more would be no picture any more."""


def turns(plan: Mapping[str, Any]) -> Sequence[tuple[str, float, float, float, int]]:
    """Node, first departure (else start), start and end of the upgrade, window; by first departure."""
    first: dict[str, float] = {}
    for move in plan["moves"]:
        first[move["from"]] = min(first.get(move["from"], move["start_s"]), move["start_s"])
    rows = [
        (u["node"], min(u["start_s"], first.get(u["node"], u["start_s"])), u["start_s"], u["end_s"], u["window"])
        for u in plan["upgrades"]
    ]
    return sorted(rows, key=lambda row: (row[1], row[3], row[0]))


def openings(plan: Mapping[str, Any]) -> Mapping[int, str]:
    """When each window opens, in words and by its number; empty where the plan does not tell."""
    return {row["window"]: f", opens {zoned(row['opens'])}" for row in plan.get("windows", ())}


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart in characters, as wide as the screen lets it be."""

    plan: Mapping[str, Any]
    most: int | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it: rich asks for this."""
        yield gantt(self.plan, self.most, options.max_width)


def gantt(plan: Mapping[str, Any], most: int | None, screen: int) -> RenderableType:
    """The chart in that many columns: ░ instances leave, █ the node is upgraded; a line where another window begins."""
    rows = turns(plan)
    end = max(row[3] for row in rows) or 1.0
    shown = rows if most is None else rows[:most]
    width = max(len(row[0]) for row in shown)
    axis = max(NARROWEST, min(WIDTH, screen - width - 2))
    begins, times = openings(plan), Times(plan)
    first = times.at(0.0)
    legend = LEGEND.format(done=_done(plan)) if screen >= LEGEND_FROM else ""
    lines = [
        Text(f"Chart{begins.get(shown[0][4], '')}{times.said}{legend}", style="bold"),
        Text(f"{'':{width}}  {first}{times.at(end, ends=True):>{axis - len(first)}}", style="dim"),
    ]
    window = shown[0][4]
    for node, away, start, stop, number in shown:
        if number != window:
            window = number
            label = f" window {number + 1}{begins.get(number, '')} "
            lines.append(Text(f"{'':{width}}  {label:─^{axis}}", style="dim"))
        a, b, c = (round(at / end * axis) for at in (away, start, stop))
        b, c = max(a, min(b, axis - 1)), max(c, min(b, axis - 1) + 1)
        bar = Text.assemble(" " * a, ("░" * (b - a), "yellow"), ("█" * (c - b), "blue"))
        lines.append(Text.assemble(f"{node:{width}}  ", bar))
    if len(rows) > len(shown):
        lines.append(Text(f"… and {len(rows) - len(shown)} more: --full shows all", style="dim"))
    return Group(*lines)


def _done(plan: Mapping[str, Any]) -> str:
    return DONE.get(plan.get("purpose", ""), "upgraded")


def svg(plan: Mapping[str, Any], campaign: str) -> str:
    """The chart as a picture of its own, without anything from outside."""
    rows, begins, times = turns(plan)[:MOST_ROWS], openings(plan), Times(plan)
    end = max((row[3] for row in rows), default=0.0) or 1.0
    height = ROW * (len(rows) + 3)
    scale = CHART / end
    counts = f"{counted(len(plan['upgrades']), 'node')}, {counted(len(plan['moves']), 'move')}, {offset(end)}"
    title = (
        f"{campaign}: {counts}{begins.get(rows[0][4], '') if rows else ''}; orange: instances leave, blue: the node is"
        f" {_done(plan)}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + CHART + 30}" height="{height}"',
        f'viewBox="0 0 {LABEL + CHART + 30} {height}" style="max-width: 100%; height: auto"',
        'font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        f'<text x="8" y="14" font-size="13" fill="{INK}">{escape(title)}</text>',
    ]
    step = next((seconds for seconds in STEPS_S if end / seconds <= MOST_TICKS), end)
    for at, said in times.ticks(step, end):
        x = LABEL + at * scale
        parts.append(f'<line x1="{x:.1f}" y1="{ROW * 2}" x2="{x:.1f}" y2="{height - ROW}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{ROW * 2 - 4}" text-anchor="middle" fill="{INK}">{said}</text>')
    for number, (node, away, start, stop, _) in enumerate(rows):
        y = ROW * (number + 2)
        parts.append(f'<text x="8" y="{y + 13}" fill="{INK}">{escape(node)}</text>')
        for a, b, color, word in ((away, start, LEAVES, "instances leave"), (start, stop, UPGRADED, "upgrade")):
            if b > a:
                words = escape(f"{node}: {word} {times.interval(a, b)}")
                bar = f'<rect x="{LABEL + a * scale:.1f}" y="{y + 3}" width="{max(1.0, (b - a) * scale):.1f}" height="{ROW - 5}"'
                parts.append(f'{bar} fill="{color}"><title>{words}</title></rect>')
    windows = {row[4]: row[1] for row in reversed(rows)}
    for number, at in sorted(windows.items())[1:]:
        x = LABEL + at * scale
        parts.append(
            f'<line x1="{x:.1f}" y1="{ROW * 2}" x2="{x:.1f}" y2="{height - ROW}" stroke="{INK}" stroke-dasharray="4 3"/>'
        )
        # What begins on the right half is written to the left of its line: it would end outside of the picture.
        beside = f'x="{x - 3:.1f}" text-anchor="end"' if x > LABEL + CHART / 2 else f'x="{x + 3:.1f}"'
        words = f"window {number + 1}{begins.get(number, '')}"
        parts.append(f'<text {beside} y="{height - 5}" fill="{INK}">{words}</text>')
    return "\n".join([*parts, "</svg>\n"])
