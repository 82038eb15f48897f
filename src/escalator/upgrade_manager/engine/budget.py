"""The interruption budget of a group's service: how long a year more of it may be impacted than it bears.

What a service bears, its group's limit says; only time beyond that counts. A VM's own times are a report, not a budget.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.progress import Event
from escalator.storage.port import CampaignRow, ImpactRow
from escalator.upgrade_manager.engine.context import Beyond, Context
from escalator.upgrade_manager.engine.ledger import Span, spans_above
from escalator.upgrade_manager.engine.proof import started_on

ACCEPTED = "accepted_budgets"
"""Memo of a campaign: groups whose overspent budget has brought a person already."""


@dataclass(frozen=True, slots=True)
class Spent:
    """How much of a group's budget is spent in the period that ends now, seconds."""

    spent_s: float
    budget_s: float

    @property
    def exceeded(self) -> bool:
        """Whether more is spent than there is."""
        return self.spent_s > self.budget_s


async def spent(ctx: Context, groups: Collection[str] | None = None) -> Mapping[str, Spent]:
    """What each group has spent over all campaigns of the period; of these groups alone, when they are named."""
    now = ctx.clock.now()
    since = now - ctx.availability.period_s
    total: defaultdict[str, float] = defaultdict(float)
    for row in await ctx.store.campaigns.list():
        over = row.ended_at is not None and row.ended_at < since
        if row.started_at is None or row.plan is None or over:
            continue
        for name, spans in (await _beyond(ctx, row, now)).items():
            total[name] += sum(max(0.0, end - max(start, since)) for start, end in spans)
    wanted = total.keys() if groups is None else groups
    return {name: Spent(total[name], ctx.availability.budget_s) for name in wanted}


async def _beyond(ctx: Context, row: CampaignRow, now: float) -> Beyond:
    """When more of each group were impacted by one campaign than it allows; what has ended is worked out once."""
    key = (row.name, row.ended_at or 0.0)
    known = ctx.budgets_before.get(key)
    if known is not None:
        return known
    inventory = await started_on(ctx, row)
    impacts = await ctx.store.admission.impacts(row.name)
    found: dict[str, list[Span]] = {}
    for name, rows in _by_group(impacts).items():
        group = inventory.group_by_id.get(name)
        if group is not None:
            spans = [(r.started_at, now if r.ended_at is None else r.ended_at) for r in rows]
            limit = group.limit(len(inventory.members.get(name, ())))
            found[name] = spans_above([span for span in spans if span[1] > span[0]], limit)
    if row.ended_at is not None and all(r.ended_at is not None for r in impacts):
        ctx.budgets_before[key] = found
    return found


def _by_group(rows: Collection[ImpactRow]) -> Mapping[str, list[ImpactRow]]:
    found: defaultdict[str, list[ImpactRow]] = defaultdict(list)
    for row in rows:
        for group in row.groups:
            found[group].append(row)
    return found


async def overspent(ctx: Context, campaign: str, groups: Collection[str]) -> Mapping[str, Spent]:
    """Those of these groups for which no node may begin its turn: a person has not accepted yet what they have overspent."""
    accepted = set((await ctx.store.tasks.memo(campaign)).get(ACCEPTED) or ())
    return {name: one for name, one in (await spent(ctx, set(groups) - accepted)).items() if one.exceeded}


async def accept(ctx: Context, campaign: str, groups: Collection[str]) -> None:
    """These have brought a person, who lets the campaign go on or not: they bring none again."""
    accepted = set((await ctx.store.tasks.memo(campaign)).get(ACCEPTED) or ())
    await ctx.store.tasks.remember(campaign, ACCEPTED, sorted(accepted | set(groups)))


def said_of(over: Mapping[str, Spent]) -> str:
    """Why the campaign waits for a person, in words."""
    said = ", ".join(f"{name} for {one.spent_s:.0f} s of {one.budget_s:.0f} s" for name, one in sorted(over.items())[:10])
    one, more = "group was impacted beyond its limit", "groups were impacted beyond their limits"
    return f"{counted(len(over), f'{one} for longer than it may be', f'{more} for longer than they may be')}: {said}"


async def warn(ctx: Context, campaign: str) -> None:
    """Write into the history which groups' budgets this campaign leaves overspent."""
    touched = _by_group(await ctx.store.admission.impacts(campaign))
    now = ctx.clock.now()
    events = [
        Event(
            at=now,
            action="workload.budget",
            campaign=campaign,
            object_id=name,
            outcome="exceeded",
            code=Code.UPG_BUDGET.value,
            message=f"group {name} was impacted beyond its limit for {one.spent_s:.0f} s, of {one.budget_s:.0f} s that it may be",
        )
        for name, one in sorted((await spent(ctx, touched.keys())).items())
        if one.exceeded
    ]
    if events:
        await ctx.store.events.append(events)
