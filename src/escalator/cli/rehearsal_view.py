"""A rehearsal on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from escalator.cli.spans import span, zoned

NODES = {"upgraded": "Nodes upgraded", "rolled_back": "rolled back", "failed": "failed", "skipped": "skipped"}


def rehearsal_view(found: Mapping[str, Any]) -> RenderableType:
    """How the runs ended, and the spread of what matters."""
    whole = found["whole"] == found["completed"]
    good = found["completed"] == found["runs"] and not found["violations"]
    states = ", ".join(f"{count} {state}" for state, count in found["states"].items())
    head = Text.assemble(
        (
            f"{found['completed']} of {found['runs']} runs completed",
            ("bold green" if whole else "bold yellow") if good else "bold red",
        ),
        "" if whole else (f", {found['whole']} of them with every node upgraded", "bold yellow"),
        f"  {states}",
    )
    if found.get("begins"):
        head.append(f"  from {zoned(found['begins'])} on")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("", "P50", "P90", "Largest"):
        table.add_column(column, justify="left" if not column else "right")
    _row(table, "Duration", found["duration_s"], seconds=True)
    _row(table, "Interruption of an instance", found["interruption_s"], seconds=True)
    for word, title in NODES.items():
        _row(table, title, found["nodes"][word])
    for number, spread in enumerate(found["nodes_per_window"], start=1):
        _row(table, f"Nodes in window {number}", spread)
    _row(table, "Moves", found["moves"])
    parts: list[RenderableType] = [head, table]
    parts += [Text(f"violation: {violation}", style="bold red") for violation in found["violations"]]
    parts += [Text(f"accepted: {what}", style="yellow") for what in found["accepted"]]
    parts += [Text(f"said at the end: {reason}") for reason in found["reasons"]]
    longest = ", ".join(f"{group} {span(seconds)}" for group, seconds in list(found["groups_hit_longest_s"].items())[:5])
    if longest:
        parts.append(Text(f"groups hit longest: {longest}"))
    return Group(*parts)


def _row(table: Table, title: str, spread: Mapping[str, float], *, seconds: bool = False) -> None:
    shown = [span(spread[key]) or "0 s" if seconds else f"{spread[key]:g}" for key in ("p50", "p90", "max")]
    table.add_row(title, *shown)
