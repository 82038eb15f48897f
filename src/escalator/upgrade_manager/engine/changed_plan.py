"""How one plan differs from another, in a line that fits on a screen: the history keeps the whole beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from escalator.model.counting import counted

NODES = 3
"""Nodes whose change is told; the others are counted."""
INSTANCES = 3
"""Instances that are named: an id takes 36 columns."""
KEPT = 200
"""Lines of a difference that the history keeps; `campaign replan --dry-run` shows all of them."""


def in_short(lines: Sequence[str]) -> str:
    """What the lines of a difference come to: nodes by name, moves and instances that stay by number."""
    nodes = [line for line in lines if line[2:].startswith("node ")]
    parts = nodes[:NODES]
    if len(nodes) > NODES:
        parts.append(f"{counted(len(nodes) - NODES, 'more node')} changed")
    return "; ".join([*parts, *_instances([line for line in lines if not line[2:].startswith("node ")])])


def named(instances: Sequence[str]) -> str:
    """The first of them by their ids; the others are counted."""
    more = f" and {len(instances) - INSTANCES} more" if len(instances) > INSTANCES else ""
    return ", ".join(instances[:INSTANCES]) + more


def _instances(lines: Sequence[str]) -> Iterator[str]:
    found = Counter((line[0], " stays on " in line) for line in lines)
    for (sign, stays), (one, many) in _WORDS.items():
        if found[sign, stays]:
            yield counted(found[sign, stays], one, many)


_WORDS = {
    ("+", False): ("move more", "moves more"),
    ("-", False): ("move fewer", "moves fewer"),
    ("~", False): ("move goes elsewhere", "moves go elsewhere"),
    ("+", True): ("more instance stays", "more instances stay"),
    ("-", True): ("instance does not stay any more", "instances do not stay any more"),
}
"""By the sign of a line and whether it is about an instance that stays on its node."""
