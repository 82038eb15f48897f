"""What a campaign has changed and not put back: the nodes, and the backup that each goes back to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escalator.model.progress import NodeTask
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON
from escalator.upgrade_manager.engine.way_back import PASSED

OPERATION, BACKUP = "operation", "backup"
"""Memos of a node's turn: the operation that changed its software, null once that is put back; and what was kept before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One node that a rollback has to look after."""

    node: str
    touched: Sequence[str]
    """Turns that changed its software and did not put it back, the first one first. None: it is only held out of service."""
    backup: Mapping[str, Any] | None
    """What it ran before the first of these turns; null where the driver keeps nothing."""
    oldest: Mapping[str, Any] | None
    """The first backup that this campaign took of it."""
    first: str
    """The turn that knows best what the node was like before."""
    at: float
    """When its last turn ended, Unix seconds."""


async def changed_by(ctx: Context, name: str) -> dict[str, Changed]:
    """Nodes whose software the campaign changed, or that it still holds out of service."""
    held = {row.node for row in await ctx.store.restorations.open(name) if row.kind == CORDON}
    found = {}
    for task in await ctx.store.tasks.list(name, ladders=False):
        one = await _one(ctx, task)
        if one.touched or task.node in held:
            found[task.node] = one
    return found


async def changed_node(ctx: Context, name: str, node: str) -> Changed | None:
    """The same for one node, whatever became of it; None when the campaign has no such node."""
    task = await ctx.store.tasks.get(name, node)
    return None if task is None else await _one(ctx, task)


async def before(ctx: Context, changed: Changed) -> dict[str, Any]:
    """The memo of the turn that knows best what the node was like before; no return is passed where any turn passed it."""
    memo = dict(await ctx.store.tasks.memo(changed.first))
    for turn in changed.touched:
        if (await ctx.store.tasks.memo(turn)).get(PASSED):
            memo[PASSED] = True
    return memo


async def _one(ctx: Context, task: NodeTask) -> Changed:
    memos = [(turn, memo) async for turn, memo in _memos(ctx, task)]
    touched = [turn for turn, memo in memos if memo.get(OPERATION) is not None]
    backups = {turn: memo[BACKUP] for turn, memo in memos if memo.get(BACKUP) is not None}
    first = touched[0] if touched else next(iter(backups), task.id)
    return Changed(
        node=task.node,
        touched=touched,
        backup=backups.get(first),
        oldest=next(iter(backups.values()), None),
        first=first,
        at=task.updated_at,
    )


async def _memos(ctx: Context, task: NodeTask) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
    for attempt in range(1, task.attempt + 1):
        turn = f"{task.campaign}/{task.node}/{attempt}"
        yield turn, await ctx.store.tasks.memo(turn)


async def later(ctx: Context, row: CampaignRow, nodes: Mapping[str, object]) -> list[tuple[CampaignRow, Sequence[str]]]:
    """Campaigns that began later and changed some of these nodes since, the latest first, with those nodes."""
    found = []
    for other in await ctx.store.campaigns.list():
        begun = other.started_at is not None and row.started_at is not None and other.started_at > row.started_at
        if not begun or other.name == row.name:
            continue
        both = sorted(node for node, one in (await changed_by(ctx, other.name)).items() if node in nodes and one.touched)
        if both:
            found.append((other, both))
    return sorted(found, key=lambda pair: -(pair[0].started_at or 0.0))
