"""What would bring every node into the campaign's windows, found by planning with it: hosts, more at once, a later end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from escalator.model.campaign import Campaign, CampaignSpec
from escalator.model.counting import counted
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.nights import assumed_start_s, local_text, spans
from escalator.upgrade_manager.planner.policies import SMALL
from escalator.upgrade_manager.planner.remedies import like
from escalator.upgrade_manager.planner.rules import windows_of
from escalator.upgrade_manager.planner.search import START
from escalator.upgrade_manager.planner.trials import (
    LARGEST,
    fewest,
    fewest_hosts,
    is_complete,
    model_of,
    out_of_windows,
    runs,
    searched,
)
from escalator.upgrade_manager.planner.turns import Found, Midway, Rules
from escalator.upgrade_manager.planner.windows import Windows

ROOM_BINDS = " (more nodes at once would not do: free room is what is short, not waves.max_unavailable)"


def time_relief(campaign: Campaign, cloud: Cloud, rules: Rules, found: Found, now_s: float | None, midway: Midway = START) -> str:
    """The remedy for nodes that no window is left for; empty where there are none, and where windows are too short for one."""
    spec = campaign.spec
    short = [number for number, wait in found.left.items() if out_of_windows(wait)]
    longest_s = max((wait.needs_s for wait in found.left.values()), default=0.0)
    endless = spec.model_copy(update={"not_after": None})
    if longest_s:
        # A window that is cut short by the campaign's end is long enough without it.
        cut = spec.not_after is not None and windows_of(endless, now_s).longest_s >= longest_s
        return _later(spec, endless, cloud, rules, now_s, midway) if cut else ""
    if not short:
        return ""
    if len(cloud.nodes) > (SMALL if midway.order else LARGEST):  # in the middle of a large campaign nodes wait for the plan
        more = "give more windows, or longer ones" if spec.not_after is None else "move not_after, or give longer windows"
        return f"{more}; or add empty hosts"
    wider = _wider(spec, cloud, rules, midway)
    ways = (
        _hosts(cloud, rules, short, midway, ROOM_BINDS * (not wider)),
        wider,
        _later(spec, endless, cloud, rules, now_s, midway),
        "give longer windows" if spec.windows else "",
    )
    return "; or ".join(way for way in ways if way)


def _hosts(cloud: Cloud, rules: Rules, short: Sequence[int], midway: Midway, why: str) -> str:
    model = model_of(cloud, short)
    count = fewest_hosts(cloud, rules, model, midway)
    if count is None:
        return ""
    add = "add" if len(cloud.nodes) <= SMALL else "add at least"
    return f"{add} {counted(count, 'empty host')} {like(cloud, model)}, already upgraded{why}"


def _wider(spec: CampaignSpec, cloud: Cloud, rules: Rules, midway: Midway) -> str:
    """So many more nodes at once; empty where not even all of them at once would do."""

    def more_at_once(more: int) -> bool:
        return runs(cloud, replace(rules, width=rules.width + more), midway)

    most = sum(cloud.ready) - rules.width
    if most <= 0 or not more_at_once(most):
        return ""
    more = fewest(more_at_once, most) or most
    limit = spec.waves.max_unavailable
    by = f"to {limit + more}" if isinstance(limit, int) else f"by {counted(more, 'node')}"
    return f"raise waves.max_unavailable {by}"


def _later(spec: CampaignSpec, endless: CampaignSpec, cloud: Cloud, rules: Rules, now_s: float | None, midway: Midway) -> str:
    """A later end of the campaign; empty where it has none, and where no end would do."""
    if spec.not_after is None:
        return ""
    if len(cloud.nodes) > LARGEST:
        return "move not_after"
    windows = windows_of(endless, now_s)
    found = searched(cloud, replace(rules, windows=windows), midway)
    if not is_complete(found) or not found.turns:
        return ""
    ends = f"not_after, {local_text(spec, spec.not_after.timestamp())}"
    if windows.open:
        begin = assumed_start_s(endless, now_s)
        begin = max(begin, spec.not_before.timestamp()) if spec.not_before else begin
        end = max(turn.away_s + rules.needs_s(turn.away_s, turn.end_s) + cloud.lead_s[turn.node] for turn in found.turns)
        return f"move {ends}, to {local_text(spec, 60 * ceil((begin + end) / 60))} or later"
    there = len(rules.windows.starts) - 1
    last = max(windows.index(turn.away_s) for turn in found.turns)
    calendar = spans(endless, now_s)

    def more_windows(more: int) -> bool:
        first = calendar[: there + more]
        return runs(cloud, replace(rules, windows=Windows([b - a for a, b in first], [a for a, _ in first])), midway)

    # The best plan is not the one in the fewest windows.
    more = fewest(more_windows, last + 1 - there) if last + 1 > there else None
    closes = local_text(spec, calendar[last if more is None else there + more - 1][1])
    said = f": {counted(more, 'more window')}" if more else ""
    return f"move {ends}, which leaves {counted(there, 'window')}, to {closes} or later{said}"
