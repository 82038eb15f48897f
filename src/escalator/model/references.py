"""What in an inventory names something else: each thing once, and everything that is named is there.

Read from the data as they came, whatever else is wrong with them, so that a person is told of all of it at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

Told = tuple[tuple[str | int, ...], str]
"""Where something is wrong, and what."""
_KINDS = (("nodes", "node"), ("instances", "instance"), ("groups", "group"))


def broken_references(data: Mapping[str, Any]) -> Iterator[Told]:
    """Say of each thing of an inventory that stands there twice or names what is not there, where and what it is."""
    rows = {key: _rows(data, key) for key, _ in _KINDS}
    for key, what in _KINDS:
        yield from _twice(key, what, rows[key])
    nodes = {row["id"]: row for _, row in rows["nodes"] if _is_id(row.get("id"))}
    groups = {row["id"] for _, row in rows["groups"] if _is_id(row.get("id"))}
    # A node whose id is wrong itself may be the one that is meant.
    all_nodes, all_groups = (_all_have_ids(data, key) for key in ("nodes", "groups"))
    for index, row in rows["instances"]:
        if all_nodes:
            yield from _place(index, row, nodes)
        if all_groups:
            yield from _groups(index, row, groups)


def _place(index: int, row: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[Told]:
    name, on = row.get("id"), row.get("node")
    if not _is_id(on):
        return
    if on not in nodes:
        yield ("instances", index, "node"), f"instance {name!r} is on node {on!r}, which is not in the inventory"
        return
    entries = nodes[on].get("numa", [{}])
    key = "numa_span" if row.get("numa_cell") is None else "numa_cell"
    if isinstance(entries, Sequence) and any(not 0 <= cell < len(entries) for cell in _cells(row)):
        yield ("instances", index, key), f"instance {name!r} uses a NUMA entry that node {on!r} does not have"


def _groups(index: int, row: Mapping[str, Any], groups: set[str]) -> Iterator[Told]:
    named = row.get("groups", ())
    for place, group in enumerate(named if isinstance(named, list) else ()):
        if _is_id(group) and group not in groups:
            yield (
                ("instances", index, "groups", place),
                f"instance {row.get('id')!r} is in group {group!r}, which is not in the inventory",
            )


def _twice(key: str, what: str, rows: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Told]:
    counts = Counter(row["id"] for _, row in rows if _is_id(row.get("id")))
    last = {row["id"]: index for index, row in rows if _is_id(row.get("id"))}
    for name, count in counts.items():
        if count > 1:
            yield (key, last[name], "id"), f"{what} {name!r} stands there {count} times"


def _cells(row: Mapping[str, Any]) -> Sequence[int]:
    cell, span = row.get("numa_cell"), row.get("numa_span", 1)
    if cell is None:
        # Of a span only its last entry can be too far.
        return (span - 1,) if _is_number(span) else ()
    return [one for one in (cell if isinstance(cell, list) else [cell]) if _is_number(one)]


def _rows(data: Mapping[str, Any], key: str) -> list[tuple[int, Mapping[str, Any]]]:
    rows = data.get(key)
    return [(index, row) for index, row in enumerate(rows) if isinstance(row, dict)] if isinstance(rows, list) else []


def _all_have_ids(data: Mapping[str, Any], key: str) -> bool:
    rows = data.get(key, [])
    return isinstance(rows, list) and all(isinstance(row, dict) and _is_id(row.get("id")) for row in rows)


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
