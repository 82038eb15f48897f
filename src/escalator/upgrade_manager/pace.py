"""How far a campaign has come along its plan, and how fast: what is left of it without jumping back and forth.

A share of nodes tells little: nodes differ, some were upgraded before, some are skipped at once, and between two ends nothing
would move. So the place along the plan counts, which goes on between the ends of two nodes at the pace so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

NEARLY = 0.95
"""How far time alone brings a campaign towards the next end of a node: a node that is late has not ended."""
SLOWEST, FASTEST = 10.0, 0.01
"""Bounds of the pace: one node that took a day for its repair does not make a month of the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A node's turn as planned, and when it ended; all in working time since the campaign's start, seconds."""

    starts_s: float
    ends_s: float
    ended_at_s: float | None = None
    """Null for a turn that has not ended."""


def left_s(turns: Sequence[Turn], taken_s: Sequence[float], planned_at_s: float, now_s: float) -> float | None:
    """Working time until the last turn ends, seconds; None when none is left.

    `taken_s` is how long the turns of nodes took so far, those of earlier plans too; `planned_at_s` is when the plan was made.
    """
    ahead = [turn.ends_s for turn in turns if turn.ended_at_s is None]
    if not ahead:
        return None
    pace = _pace(turns, taken_s)
    following = min(ahead)
    passed = [turn for turn in turns if turn.ended_at_s is not None and turn.ends_s <= following]
    reached = max([planned_at_s, *(turn.ends_s for turn in passed)])
    since = max([planned_at_s, *(turn.ended_at_s or 0.0 for turn in passed)])
    further = min((now_s - since) / pace, max(0.0, following - reached) * NEARLY)
    return max(0.0, max(ahead) - reached - max(0.0, further)) * pace


def _pace(turns: Sequence[Turn], taken_s: Sequence[float]) -> float:
    """How many times longer than planned turns take: as planned before the first has ended, and surer with each."""
    planned = [turn.ends_s - turn.starts_s for turn in turns]
    if not taken_s or fmean(planned) <= 0:
        return 1.0
    seen = min(SLOWEST, max(FASTEST, fmean(taken_s) / fmean(planned)))
    return float(seen ** (len(taken_s) / (len(taken_s) + 1)))
