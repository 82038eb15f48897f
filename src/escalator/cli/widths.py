"""How tables become as narrow as the screen: what is read keeps its room longest, and ids stay in one piece."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NARROWEST = 20
"""Columns are folded to a date and time first, and further only where that does not do."""
FOLDED = 10
"""What they are folded to then: a date above its time."""
READ = 28
"""Columns of the screen that what is read keeps as long as others can give way."""
READ_WIDE = 48
"""What it is folded to before the others are folded further."""


def screen_width(*, fit: bool) -> int:
    """Columns of the screen; 0 where output goes elsewhere and nobody asked for fitting."""
    return shutil.get_terminal_size().columns if fit or sys.stdout.isatty() else 0


def least(name: str, cells: Sequence[object], room: int = 0) -> int:
    """Columns of the screen that a column of a table takes at least, with its border and its padding.

    `room` is for what is read: it takes as much as that where it has so much to say.
    """
    longest = _longest(cells)
    if name == "id":
        return 3 + max(len(name), longest)
    return 3 + max(len(name), min(longest, room) if room else _floor(cells))


def fit(table: Any, width: int, read: str = "", wide: int = READ_WIDE) -> None:  # noqa: ANN401 - prettytable's
    """Make a table as narrow as the screen by folding its columns, never one of ids in the first place: people copy them.

    `read` is the title of the column that is read: the others give way to it, until it has `wide` columns.
    """
    lines = table.get_string().splitlines()
    if not lines or len(lines[0]) <= width:
        return
    widths = dict(zip(table.field_names, (len(cell) - 2 for cell in lines[0].split("+")[1:-1]), strict=True))
    cells = {name: [row[n] for row in table.rows] for n, name in enumerate(table.field_names)}
    floors = {name: max(len(name), _floor(cells[name])) for name in table.field_names if name != read}
    first = table.field_names[0]
    if first != read and not all(" " in str(cell) for cell in cells[first]):
        floors[first] = widths[first]
    room = width - (len(lines[0]) - sum(widths.values()))
    tried = list(_narrower(widths, floors, read, max(wide, READ_WIDE)))
    # What cannot fit in any way is rather too wide than hard to read.
    readable = {name: min(width, max(NARROWEST, floors.get(name, 0))) for name, width in widths.items()}
    table.max_width.update(next((found for found in tried if sum(found.values()) <= room), readable))


def _narrower(widths: Mapping[str, int], floors: Mapping[str, int], read: str, wide: int) -> Iterator[dict[str, int]]:
    """Ever narrower: the others to a date and time, what is read, the others to what cannot be folded, and what is read again."""
    most, whole = max(widths.values()), widths.get(read, 0)
    steps = [(level, whole) for level in range(most, NARROWEST, -1)]
    steps += [(NARROWEST, own) for own in range(whole, wide, -1)]
    steps += [(level, min(whole, wide)) for level in range(NARROWEST, FOLDED, -1)]
    steps += [(FOLDED, own) for own in range(min(whole, wide), NARROWEST - 1, -1)]
    for level, own in steps:
        yield {name: own if name == read else min(width, max(level, floors[name])) for name, width in widths.items()}


def _floor(cells: Sequence[object]) -> int:
    """How narrow a column can be without a word being broken; long words are."""
    words = (word for cell in cells for word in re.split(r"\s|(?<=-)", str(cell)))
    return min(NARROWEST, max(FOLDED, max(map(len, words), default=0)), _longest(cells))


def _longest(cells: Sequence[object]) -> int:
    return max((len(line) for cell in cells for line in str(cell).splitlines()), default=0)
