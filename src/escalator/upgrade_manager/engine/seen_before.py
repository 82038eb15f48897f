"""For how long migrations interrupted VMs in earlier campaigns, as the ledger and the probes saw it.

A cold migration stops the VM: its impact is the interruption. Of a live one the ledger knows the begin and the end alone, and
a probe of its VNF that looked all the time says the rest: the longest outage that lies over the move, or no more than the
pause between two looks. Of a VNF with several VMs this is the least that it can have been, as another may have taken over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from escalator.model.inventory import Instance, Seen
from escalator.storage.port import CampaignRow, ImpactRow, OutageRow, Store, WatchRow
from escalator.upgrade_manager.engine.context import Context, Key

NEWEST = 20
"""Campaigns that are looked at: what took long years ago says little of today's network."""


@dataclass(frozen=True, slots=True)
class Book:
    """The longest that was seen, by whose it was and by the kind of migration."""

    rows: Mapping[tuple[Key, str], Seen] = field(default_factory=dict)

    def of(self, instance: Instance) -> tuple[Seen, ...]:
        """What was seen of the instance itself; of a kind of which nothing was, of members of its groups."""
        found = []
        for kind in ("live", "cold"):
            groups = [self.rows.get((("group", name), kind)) for name in instance.groups]
            own = self.rows.get((("instance", instance.id), kind))
            worst = longest(filter(None, groups)) if own is None else own
            if worst is not None:
                found.append(worst)
        return tuple(found)


async def with_seen(ctx: Context, instances: Sequence[Instance]) -> Sequence[Instance]:
    """Return the instances with what was seen of those that say what they do not notice; who says nothing costs nothing."""
    if all(instance.max_interruption_s is None for instance in instances):
        return instances
    book = await _book(ctx)
    return [i if i.max_interruption_s is None else i.model_copy(update={"seen": book.of(i)}) for i in instances]


async def _book(ctx: Context) -> Book:
    ended = [row for row in await ctx.store.campaigns.list() if row.ended_at is not None and row.plan is not None]
    newest = sorted(ended, key=lambda row: row.ended_at or 0.0)[-NEWEST:]
    found: dict[tuple[Key, str], Seen] = {}
    for row in newest:
        for key, one in (await _known(ctx, row)).items():
            found[key] = max(found.get(key, one), one, key=lambda seen: seen.longest_s)
    for name in ctx.seen_before.keys() - {(row.name, row.ended_at) for row in newest}:
        del ctx.seen_before[name]
    return Book(found)


async def _known(ctx: Context, row: CampaignRow) -> Mapping[tuple[Key, str], Seen]:
    key = row.name, row.ended_at
    if key not in ctx.seen_before:
        ctx.seen_before[key] = await _of(ctx.store, row)
    return ctx.seen_before[key]


async def _of(store: Store, row: CampaignRow) -> Mapping[tuple[Key, str], Seen]:
    impacts = [i for i in await store.admission.impacts(row.name) if i.ended_at is not None and i.ended_at > i.started_at]
    watches = await store.outages.watches(row.name)
    outages = await store.outages.list(row.name)
    vnfs = await _vnfs(store, row) if watches else {}
    sizes = Counter(vnfs.values())
    found: dict[tuple[Key, str], Seen] = {}
    for impact in impacts:
        vnf = vnfs.get(impact.instance)
        looked = [watch for watch in watches if watch.vnf == vnf]
        seen = _seen(impact, looked, [one for one in outages if one.vnf == vnf], alone=vnf is not None and sizes[vnf] == 1)
        if seen is None:
            continue
        keys: list[Key] = [("instance", impact.instance), *(("group", name) for name in impact.groups)]
        for key in keys:
            found[key, seen.kind] = max(found.get((key, seen.kind), seen), seen, key=lambda one: one.longest_s)
    return found


async def _vnfs(store: Store, row: CampaignRow) -> Mapping[str, str]:
    """The VNF of each instance, as the campaign's plan knew it."""
    plan = await store.campaigns.get_plan(row.plan or "")
    instances = json.loads(plan.inventory).get("instances", ()) if plan is not None else ()
    return {one["id"]: one["vnf"] for one in instances if one.get("vnf")}


def longest(seen: Iterable[Seen]) -> Seen | None:
    """The one that lasted longest; None of none."""
    return max(seen, key=lambda one: one.longest_s, default=None)


def _seen(impact: ImpactRow, watches: Sequence[WatchRow], outages: Sequence[OutageRow], *, alone: bool) -> Seen | None:
    """What one migration took; None where it was none, or nobody looked."""
    start, end = impact.started_at, impact.ended_at or impact.started_at
    if impact.kind == "cold":
        return Seen(kind="cold", longest_s=round(end - start, 3), campaign=impact.campaign)
    looked = [w.interval_s for w in watches if w.since <= start and w.until >= end]
    if impact.kind != "live" or not looked:
        return None
    away = [o.ended_at - o.started_at for o in outages if o.ended_at is not None and o.started_at < end and o.ended_at > start]
    return Seen(kind="live", longest_s=round(max([min(looked), *away]), 3), at_least=not alone, campaign=impact.campaign)
