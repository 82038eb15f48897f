"""What orchestrators are told, and when. They are never asked: nothing here waits, and without any of them nothing is written.

Each fact has an id that follows from what it is about, so that a step, or the drive, that is run again after a crash tells it
again and makes nothing new.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus
from escalator.model.campaign import CampaignSpec
from escalator.model.inventory import Node
from escalator.model.plan import Plan
from escalator.model.progress import CampaignState, Restoration, Rung, percent_ended
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.runner import current
from escalator.upgrade_manager.planner.nights import openings
from escalator.vim_interface.facts import (
    CapacityReturned,
    CapacityTaken,
    Moved,
    PlannedNode,
    PlannedWindow,
    StateChange,
    Switched,
    Windows,
)

BEFORE = "before"
"""Memo of a turn back: what the node ran before its upgrade."""
TOLD = "told"
"""Memo of a campaign: the state that orchestrators were told last, and how many they were told before."""


async def tell_windows(ctx: Context, name: str, plan_id: str | None = None, spec: CampaignSpec | None = None) -> None:
    """Tell when which node's turn is planned, by the campaign's plan or another one that is about to be followed.

    `spec`: what holds in place of the campaign's own.
    """
    if not await ctx.vim.orchestrators.names():
        return
    row = await ctx.store.campaigns.get(name)
    plan_id = plan_id or (row.plan if row is not None else None)
    if row is None or plan_id is None:
        return
    plan, _ = await ctx.book.plan(plan_id)
    spec = spec or (await ctx.book.campaign(name)).spec
    # The way back is planned from the moment of its planning on.
    there = plan.purpose == "upgrade" and row.started_at is not None
    start = row.started_at if there and row.started_at is not None else ctx.clock.now()
    await ctx.vim.orchestrators.tell(Windows(campaign=name, plan=plan.id, windows=tuple(windows(plan, spec, start))))


def windows(plan: Plan, spec: CampaignSpec, start: float) -> Iterator[PlannedWindow]:
    """Put the plan's turns, in working time, upon the calendar of a campaign that starts then (Unix seconds)."""
    turns: defaultdict[int, list[tuple[float, float, str]]] = defaultdict(list)
    for upgrade in plan.upgrades:
        first = min((move.start_s for move in plan.moves_from.get(upgrade.node, ())), default=upgrade.start_s)
        turns[upgrade.window].append((min(first, upgrade.start_s), upgrade.end_s, upgrade.node))
    worked = 0.0
    for number, (opens, closes) in enumerate(islice(openings(spec, start), max(turns, default=-1) + 1)):
        if number in turns:
            nodes = tuple(
                PlannedNode(node=node, start=opens + max(0.0, begin - worked), end=opens + end - worked)
                for begin, end, node in sorted(turns[number])
            )
            yield PlannedWindow(start=opens, end=None if closes == float("inf") else closes, nodes=nodes)
        worked += closes - opens


async def tell_taken(job: Job, rows: Sequence[Restoration]) -> None:
    """Tell that nothing new lands on the node: once for as long as its cordon stands on the break-glass sheet."""
    if not await job.ctx.vim.orchestrators.names():
        return
    node = job.inventory.node_by_id.get(job.node)
    for row in rows:
        fact = CapacityTaken(campaign=row.campaign, node=row.node, hold=_hold(row), zone=_zone(node), capacity=_capacity(node))
        await job.ctx.vim.orchestrators.tell(fact)


async def tell_returned(job: Job, row: Restoration, out: str = "") -> None:
    """Tell that a node is given back; call it before the cordon is taken from the sheet, so that a crash cannot come between."""
    if not await job.ctx.vim.orchestrators.names():
        return
    ladder = (await current(job.ctx, job.ref)).ladder
    upgraded = any(condition.rung is Rung.VERIFIED and condition.status for condition in ladder)
    node = job.inventory.node_by_id.get(job.node)
    before = dict(node.versions) if node is not None else {}
    if any(condition.rung is Rung.ROLLED_BACK and condition.status for condition in ladder):
        before = dict((await job.memo()).get(BEFORE) or {})
    elif job.ref.back:
        before = {}  # whether it still runs what it was upgraded to is not known
    fact = CapacityReturned(
        campaign=row.campaign,
        node=row.node,
        hold=_hold(row),
        zone=_zone(node),
        capacity=_capacity(node),
        in_service=not out,
        upgraded=upgraded,
        versions={**before, **job.release.brings} if upgraded else before,
        reason=out,
        percent=percent_ended(await job.ctx.store.tasks.list(row.campaign, ladders=False), also=row.node),
    )
    await job.ctx.vim.orchestrators.tell(fact)


async def tell_back_by_hand(ctx: Context, row: Restoration, *, instance: bool) -> None:
    """Tell that a person has given a node back (what it runs is not known), or has started an instance."""
    if not await ctx.vim.orchestrators.names():
        return
    if not instance:
        campaign = await ctx.store.campaigns.get(row.campaign)
        node = None
        if campaign is not None and campaign.plan is not None:
            node = (await ctx.book.plan(campaign.plan))[1].node_by_id.get(row.node)
        fact = CapacityReturned(
            campaign=row.campaign,
            node=row.node,
            hold=_hold(row),
            zone=_zone(node),
            capacity=_capacity(node),
            reason="put back in service by hand",
        )
        await ctx.vim.orchestrators.tell(fact)
    elif await ctx.cloud.instance(row.object_id) is not None:
        await ctx.vim.orchestrators.tell(_switched(row, running=True))


async def tell_moved(job: Job, order: MoveOrder, number: int, status: MoveStatus) -> None:
    """Tell that an instance is on another node, if it is; `number` counts the tries to move it in this turn."""
    if status.state in (MoveState.NONE, MoveState.LOST, MoveState.RUNNING) or status.at in (None, order.origin):
        return
    if await job.ctx.vim.orchestrators.names():
        fact = Moved(
            campaign=job.ref.campaign,
            move=f"{job.ref.id}/{order.instance}/{number}",
            instance=order.instance,
            origin=order.origin,
            target=str(status.at),
            kind=order.kind,
            healthy=status.healthy,
        )
        await job.ctx.vim.orchestrators.tell(fact)


async def tell_switched(job: Job, row: Restoration, *, running: bool) -> None:
    """Tell that an instance was stopped for its node's turn, or runs again."""
    if await job.ctx.vim.orchestrators.names():
        await job.ctx.vim.orchestrators.tell(_switched(row, running=running))


async def tell_state(ctx: Context, name: str, state: CampaignState | None, told: str) -> str:
    """Tell that the campaign is in another state; the state that is told now. `told` is what this drive told last.

    What is about to be told is written down first: told again after a crash, it is the same news.
    """
    if state is None or state.value == told or not await ctx.vim.orchestrators.names():
        return told
    last = (await ctx.store.tasks.memo(name)).get(TOLD)
    if last is not None and not told:
        await _say(ctx, name, last)
    before = str(last["state"]) if last is not None else CampaignState.RUNNING.value
    if before != state.value:
        row = await ctx.store.campaigns.get(name)
        reason = row.reason if row is not None and row.state is state else ""
        number = int(last["number"]) + 1 if last is not None else 1
        now = {"number": number, "state": state.value, "reason": reason}
        await ctx.store.tasks.remember(name, TOLD, now)
        await _say(ctx, name, now)
    return state.value


async def _say(ctx: Context, name: str, memo: Mapping[str, object]) -> None:
    fact = StateChange(
        campaign=name,
        number=int(str(memo["number"])),
        state=str(memo["state"]),
        reason=str(memo.get("reason") or ""),
        percent=percent_ended(await ctx.store.tasks.list(name, ladders=False)),
    )
    await ctx.vim.orchestrators.tell(fact)


def _hold(row: Restoration) -> str:
    """The turn that took the node out of service: a later attempt at a node that was held goes on with the same."""
    return row.id.removesuffix(f"/{row.kind}/{row.object_id}")


def _switched(row: Restoration, *, running: bool) -> Switched:
    return Switched(campaign=row.campaign, node=row.node, stop=row.id, instance=row.object_id, running=running)


def _zone(node: Node | None) -> str | None:
    return None if node is None else node.az


def _capacity(node: Node | None) -> Mapping[str, float]:
    total: Counter[str] = Counter()
    for cell in node.numa if node is not None else ():
        for resource, amount in cell.items():
            total[resource] += amount  # type: ignore[assignment]  # a Counter adds any number
    return dict(sorted(total.items()))
