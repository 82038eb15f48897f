"""A found search result as the rows of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, islice
from math import isfinite
from operator import attrgetter, itemgetter

from escalator.model.campaign import CampaignSpec
from escalator.model.plan import Bounds, Impact, Move, NotUpgraded, PlanWindow, Totals, Upgrade
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.conditions import kept_by
from escalator.upgrade_manager.planner.nights import local, openings
from escalator.upgrade_manager.planner.turns import Found, Rules


def upgrades_of(cloud: Cloud, rules: Rules, found: Found) -> tuple[Upgrade, ...]:
    """Upgrades by start, each with what kept its node from an earlier turn."""
    turns = sorted(found.turns, key=attrgetter("start_s", "node"))
    rows: list[dict[str, object]] = [
        {
            "node": cloud.nodes[turn.node].id,
            "start_s": turn.start_s,
            "end_s": turn.end_s,
            "wave": turn.wave,
            "window": rules.windows.index(turn.away_s),
            "waits": kept_by(cloud, found.waited[turn.node]) if turn.node in found.waited else "",
        }
        for turn in turns
    ]
    return tuple(Upgrade.all_of_values(rows))


def windows_of(spec: CampaignSpec, upgrades: Sequence[Upgrade], now_s: float | None) -> tuple[PlanWindow, ...]:
    """The windows up to the last that has turns, on the calendar of a campaign that starts, or did, at `now_s` (Unix seconds).

    None where it has neither windows nor dates, or nobody knows when it starts.
    """
    start = now_s if now_s is not None else spec.not_before.timestamp() if spec.not_before else None
    dated = spec.windows or spec.not_before is not None or spec.not_after is not None
    if start is None or not dated:
        return ()
    turns = Counter(upgrade.window for upgrade in upgrades)
    there = list(islice(openings(spec, start), max(turns, default=-1) + 1))
    starts = list(accumulate((closes - opens for opens, closes in there), initial=0.0))
    return tuple(
        PlanWindow(
            starts_s=starts[number],
            window=number,
            opens=local(spec, opens).isoformat(timespec="seconds"),
            closes=local(spec, closes).isoformat(timespec="seconds") if isfinite(closes) else None,
            nodes=turns[number],
        )
        for number, (opens, closes) in enumerate(there)
    )


def moves_of(cloud: Cloud, found: Found) -> tuple[Move, ...]:
    """Moves by start. Built without checks: there may be a hundred thousand, and each field is ours."""
    ids = [node.id for node in cloud.nodes]
    first = [cells[0] if cells else 0 for cells in cloud.cells]
    rows: list[dict[str, object]] = []
    for turn in found.turns:
        origin = ids[turn.node]
        for (guest, target, cells, extra), start_s, end_s in turn.moves:
            base = first[target]
            rows.append(
                {
                    "start_s": start_s,
                    "end_s": end_s,
                    "instance": guest.id,
                    "origin": origin,
                    "target": ids[target],
                    "numa_cell": cells[0] - base if len(cells) == 1 else tuple([cell - base for cell in cells]),
                    "kind": guest.kind,
                    "extra": extra,
                }
            )
    rows.sort(key=itemgetter("start_s", "instance"))
    return tuple(Move.all_of_values(rows))


def impacts_of(cloud: Cloud, found: Found) -> tuple[Impact, ...]:
    """What stays on its node during the upgrade, by start."""
    rows = [
        Impact.model_construct(
            instance=guest.id,
            kind=guest.kind,  # type: ignore[arg-type]  # the kind of a stay for what stays
            node=cloud.nodes[turn.node].id,
            start_s=turn.start_s,
            end_s=turn.end_s,
        )
        for turn in found.turns
        for guest in turn.stays
    ]
    return tuple(sorted(rows, key=lambda impact: (impact.start_s, impact.instance)))


def bounds_of(moves: int, parts: Mapping[str, float]) -> Bounds:
    """The bounds of a plan: moves at least, and the largest of the parts, which binds."""
    return Bounds(
        moves=moves,
        makespan_s=max(parts.values(), default=0.0),
        binding=max(parts, key=lambda name: parts[name], default=None),
        parts=dict(sorted(parts.items())),
    )


def totals_of(upgrades: Sequence[Upgrade], moves: Sequence[Move], end_s: float, left: Mapping[str, str]) -> Totals:
    """The plan in numbers; `left`: nodes without a turn, each with why."""
    return Totals(
        nodes=len(upgrades),
        moves=len(moves),
        makespan_s=end_s,
        windows=len({upgrade.window for upgrade in upgrades}),
        not_upgraded=tuple(NotUpgraded.model_construct(node=node, reason=reason) for node, reason in sorted(left.items())),
    )
