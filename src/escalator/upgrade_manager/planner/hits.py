"""Which VNF is hit when, and for how long: what the operator tells its owner on Tuesday."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from itertools import repeat
from operator import sub

from escalator.model.plan import Hit
from escalator.upgrade_manager.planner.turns import Found, Rules

Spans = defaultdict[tuple[int, str], list[tuple[float, float]]]
"""Start and end of impacts by window and VNF."""


def hits_of(found: Found, rules: Rules) -> tuple[Hit, ...]:
    """One row for each VNF and window in which something of it moves or is impacted."""
    moved: Spans = defaultdict(list)
    stayed: Spans = defaultdict(list)
    for turn in found.turns:
        window = rules.windows.index(turn.away_s)
        for (guest, _, _, _), start_s, end_s in turn.moves:
            moved[window, guest.owner].append((start_s, end_s))
        for guest in turn.stays:
            if guest.kind != "offline":
                stayed[window, guest.owner].append((turn.start_s, turn.end_s))
    return hits_from(moved, stayed)


def hits_from(moved: Spans, stayed: Spans) -> tuple[Hit, ...]:
    """The same from when something moves, and when something is impacted where it is, by window and VNF."""
    found = []
    for key in sorted(moved.keys() | stayed.keys()):
        moves, stays = moved.get(key, []), stayed.get(key, [])
        rows = sorted(moves + stays)
        ends = sorted([end for _, end in rows])
        found.append(
            Hit(
                vnf=key[1],
                window=key[0],
                moved=len(moves),
                stayed=len(stays),
                impacted_s=_union(rows),
                at_once=_at_once(rows, ends),
                begins_s=rows[0][0],
                ends_s=ends[-1],
            )
        )
    return tuple(found)


def _union(spans: list[tuple[float, float]]) -> float:
    """Time covered by at least one of the spans, which are in order."""
    total, until = 0.0, float("-inf")
    for start, end in spans:
        if end > until:
            total += end - max(start, until)
            until = end
    return total


def _at_once(spans: list[tuple[float, float]], ends: list[float]) -> int:
    """Most of the spans that overlap; both they and their ends are in order. Where one ends as another begins they do not."""
    ended = map(bisect_right, repeat(ends), [start for start, _ in spans])
    return max(map(sub, range(1, len(spans) + 1), ended), default=0)
