"""The interruption ledger: who was impacted how often, for how long, and how many of a group at once; from the history.

An impact is a move, from its begin to its end, or the upgrade of the node under an instance that stays. How long the
business of a VNF was interrupted within it is its own matter: this is the longest that it can have been.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal

from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.model.inventory import Inventory
from escalator.model.progress import CampaignState
from escalator.storage.port import ImpactRow, OutageRow, WatchRow
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.proof import started_on

By = Literal["vnf", "group", "instance"]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """One VNF, group or instance. Times in seconds."""

    name: str
    members: int
    """Instances that it has; 1 for an instance."""
    hit: int
    """Of these, instances that were impacted."""
    impacts: int
    impacted_s: float
    """Time in which at least one was impacted."""
    longest_s: float
    """The longest single impact."""
    at_once: int
    """Most that were impacted at the same time."""
    limit: int | None = None
    """How many of a group may be at the same time."""
    beyond_s: float = 0.0
    """Time in which more were: what the service of a group did not have to bear."""
    under_way: bool = False
    """Whether an impact goes on."""
    back_impacts: int = 0
    """Of the impacts, those on the way back: a rollback, or a restore."""
    back_s: float = 0.0
    """Of `impacted_s`, the time on the way back."""
    tolerates_s: float | None = None
    """Longest interruption that an instance's VNF does not notice, as it declares."""
    spent_s: float | None = None
    """Of a group's budget, over all campaigns of the period."""
    budget_s: float | None = None
    """How long a group may be impacted beyond its limit in the period."""
    outages: int | None = None
    """How often the probes of a VNF found its service away; null where no probe looked."""
    away_s: float | None = None
    """Time in which at least one of them did."""
    longest_away_s: float | None = None


async def interruptions(ctx: Context, name: str, by: By) -> Sequence[Interruption]:
    """The ledger of a campaign as far as it is. Raises NotFoundError when it has not started."""
    inventory, rows, now = await _read(ctx, name)
    back_at = await _went_back_at(ctx, name)
    keys = _keys(inventory, by)
    found: defaultdict[str, list[ImpactRow]] = defaultdict(list)
    for row in rows:
        for key in row.groups if by == "group" else (keys.get(row.instance, row.instance),):
            found[key].append(row)
    members = _members(inventory, by)
    seen = await _seen(ctx, name, now) if by == "vnf" else {}
    return [
        replace(
            _one(inventory, by, key, found[key], members.get(key, 0 if key in seen else 1), now),
            **seen.get(key, {}),
            **_back([row for row in found[key] if row.started_at >= back_at], now),
        )
        for key in sorted(found.keys() | seen.keys())
    ]


async def outages(ctx: Context, name: str) -> tuple[Sequence[WatchRow], Sequence[OutageRow], float]:
    """How the probes looked during a campaign, what they saw, and until when that is told: now, or the campaign's end.

    Raises NotFoundError when it has not started.
    """
    row = await ctx.store.campaigns.get(name)
    if row is None or row.started_at is None:
        raise NotFoundError(
            Code.UPG_NOT_FOUND, f"There is no campaign {name!r} that has started.", remedy="escalator campaign list"
        )
    until = row.ended_at if row.ended_at is not None else ctx.clock.now()
    return await ctx.store.outages.watches(name), await ctx.store.outages.list(name), until


async def _seen(ctx: Context, name: str, now: float) -> Mapping[str, Mapping[str, Any]]:
    """What the probes of each VNF saw; of a VNF that no probe looked at, nothing is known."""
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for watch in await ctx.store.outages.watches(name):
        _ = spans[watch.vnf]
    for row in await ctx.store.outages.list(name):
        spans[row.vnf].append((row.started_at, max(row.started_at, now if row.ended_at is None else row.ended_at)))
    return {
        vnf: {
            "outages": len(found),
            "away_s": time_above(found, 0),
            "longest_away_s": max((end - start for start, end in found), default=0.0),
        }
        for vnf, found in spans.items()
    }


async def impacts_of(ctx: Context, name: str, instance: str) -> Sequence[ImpactRow]:
    """The impacts of one instance, oldest first. Raises NotFoundError when the campaign impacted none of that id."""
    _, rows, _ = await _read(ctx, name)
    found = [row for row in rows if row.instance == instance]
    if not found:
        message = f"Campaign {name} impacted no instance {instance!r}."
        raise NotFoundError(Code.UPG_NOT_FOUND, message, remedy=f"escalator workload list {name}")
    return found


async def _read(ctx: Context, name: str) -> tuple[Inventory, Sequence[ImpactRow], float]:
    row = await ctx.store.campaigns.get(name)
    if row is None or row.started_at is None or row.plan is None:
        raise NotFoundError(
            Code.UPG_NOT_FOUND, f"There is no campaign {name!r} that has started.", remedy="escalator campaign list"
        )
    now = row.ended_at if row.ended_at is not None else ctx.clock.now()
    # A move that the cloud refused at once impacted nobody.
    rows = [r for r in await ctx.store.admission.impacts(name) if r.ended_at is None or r.ended_at > r.started_at]
    return await started_on(ctx, row), rows, now


async def _went_back_at(ctx: Context, name: str) -> float:
    """When the way back began: what was impacted since then was so by it. Never, while the campaign has not gone back."""
    found = await ctx.store.events.read(campaign=name, action=f"campaign.{CampaignState.ROLLING_BACK.value}", limit=1)
    return found[0].at if found else inf


def _back(rows: Sequence[ImpactRow], now: float) -> Mapping[str, Any]:
    return {"back_impacts": len(rows), "back_s": time_above(_spans(rows, now), 0)}


def _spans(rows: Sequence[ImpactRow], now: float) -> list[Span]:
    return [(row.started_at, now if row.ended_at is None else row.ended_at) for row in rows]


def _keys(inventory: Inventory, by: By) -> Mapping[str, str]:
    if by == "instance":
        return {}
    return {i.id: i.vnf or f"project {i.project}" for i in inventory.instances}


def _members(inventory: Inventory, by: By) -> Mapping[str, int]:
    if by == "group":
        return {group: len(members) for group, members in inventory.members.items()}
    count: defaultdict[str, int] = defaultdict(int)
    for key in _keys(inventory, by).values():
        count[key] += 1
    return count


def _one(inventory: Inventory, by: By, key: str, rows: Sequence[ImpactRow], members: int, now: float) -> Interruption:
    spans = _spans(rows, now)
    group = inventory.group_by_id.get(key) if by == "group" else None
    limit = group.limit(members) if group is not None else None
    instance = inventory.instance_by_id.get(key) if by == "instance" else None
    return Interruption(
        name=key,
        members=members,
        hit=len({row.instance for row in rows}),
        impacts=len(rows),
        impacted_s=time_above(spans, 0),
        longest_s=max((end - start for start, end in spans), default=0.0),
        at_once=_at_once(spans),
        limit=limit,
        beyond_s=time_above(spans, limit) if limit is not None else 0.0,
        under_way=any(row.ended_at is None for row in rows),
        tolerates_s=instance.max_interruption_s if instance is not None else None,
    )


def _steps(spans: Iterable[Span]) -> list[tuple[float, int]]:
    """Begins and ends in order of time; at equal times ends come first."""
    return sorted(step for start, end in spans for step in ((start, 1), (end, -1)))


def spans_above(spans: Iterable[Span], most: int) -> list[Span]:
    """When more than `most` of the spans lie over each other; pieces in order, that touch where their number changes."""
    found: list[Span] = []
    count, since = 0, 0.0
    for at, step in _steps(spans):
        if count > most and at > since:
            found.append((since, at))
        count, since = count + step, at
    return found


def time_above(spans: Iterable[Span], most: int) -> float:
    """Time in which more than `most` of the spans lie over each other."""
    return sum(end - start for start, end in spans_above(spans, most))


def _at_once(spans: Iterable[Span]) -> int:
    most = count = 0
    for _, step in _steps(spans):
        count += step
        most = max(most, count)
    return most
