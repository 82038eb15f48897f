"""Numbers of things in sentences: of one thing, nobody reads `1 nodes`."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 node`, `2 nodes`. `many` is needed where it is no `s` alone: `counted(2, "node is", "nodes are")`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
