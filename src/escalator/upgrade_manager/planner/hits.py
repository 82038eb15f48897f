"""Which VNF is hit when, and for how long: what the operator tells its owner on Tuesday."""

from __future__ import annotations

from collections import defaultdict

from escalator.model.plan import Hit
from escalator.upgrade_manager.planner.cloud import Guest
from escalator.upgrade_manager.planner.turns import Found, Rules

Key = tuple[int, str]


def hits_of(found: Found, rules: Rules) -> tuple[Hit, ...]:
    """One row for each VNF and window in which something of it moves or is impacted."""
    spans: defaultdict[Key, list[tuple[float, float]]] = defaultdict(list)
    moved: defaultdict[Key, int] = defaultdict(int)
    stayed: defaultdict[Key, int] = defaultdict(int)
    for turn in found.turns:
        window = rules.windows.index(turn.away_s)
        for move in turn.moves:
            key = (window, _owner(move.placed.guest))
            moved[key] += 1
            spans[key].append((move.start_s, move.end_s))
        for guest in turn.stays:
            if guest.kind != "offline":
                key = (window, _owner(guest))
                stayed[key] += 1
                spans[key].append((turn.start_s, turn.end_s))
    return tuple(
        Hit(vnf=key[1], window=key[0], moved=moved[key], stayed=stayed[key], impacted_s=_union(rows), at_once=_at_once(rows))
        for key, rows in sorted(spans.items())
    )


def _owner(guest: Guest) -> str:
    return guest.instance.vnf or f"project {guest.instance.project}"


def _union(spans: list[tuple[float, float]]) -> float:
    """Time covered by at least one of the spans."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        if end > until:
            total += end - max(start, until)
            until = end
    return total


def _at_once(spans: list[tuple[float, float]]) -> int:
    """Most of the spans that overlap; where one ends as another begins they do not."""
    ends = sorted([end for _, end in spans])
    most = over = 0
    for count, start in enumerate(sorted([start for start, _ in spans]), start=1):
        while ends[over] <= start:
            over += 1
        most = max(most, count - over)
    return most
