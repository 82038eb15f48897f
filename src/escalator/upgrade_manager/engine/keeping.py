"""What is kept of nodes: a record of each backup, and which of them nobody needs any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escalator.model.backup import BackupState as State
from escalator.model.backup import NodeBackup, RestoreState, backup_id
from escalator.model.errors import EscalatorError
from escalator.model.progress import CampaignState, Event
from escalator.model.release import Release
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.restore import BY_HAND
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON

NEEDLESS = (
    CampaignState.DRAFT,
    CampaignState.PLANNED,
    CampaignState.COMMITTED,
    CampaignState.ROLLED_BACK,
    CampaignState.RESTORED,
)
"""States of a campaign that will not ask for its backups any more, or not yet."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long backups stay that no campaign needs: the last so many of each node, none older than that."""

    keep_last: int = 3
    max_age_s: float = 90 * 86400.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What pruning did: backups removed, bytes that became free, and nodes that were left alone, each with why."""

    pruned: Sequence[NodeBackup] = ()
    freed_bytes: int = 0
    left: Mapping[str, str] | None = None


async def write_down(  # noqa: PLR0913 - each is a field of the record
    ctx: Context, *, campaign: str, node: str, operation: str, driver: str, release: Release, content: Mapping[str, Any]
) -> NodeBackup:
    """The record of a backup that the driver has taken; the first record of an operation stays."""
    row = NodeBackup(
        id=backup_id(operation),
        campaign=campaign,
        node=node,
        operation=operation,
        driver=driver,
        release=release.id,
        taken_at=ctx.clock.now(),
        scope=tuple(content.get("scope") or ()),
        size_bytes=int(content.get("size_bytes") or 0),
        digest=str(content.get("digest") or ""),
        location=str(content.get("location") or ""),
        versions={str(name): str(version) for name, version in dict(content.get("packages") or {}).items()},
        missing=tuple(content.get("missing") or ()),
        content=content,
    )
    return await ctx.store.backups.add(row)


def spent(rows: Sequence[NodeBackup], needed: Collection[str], retention: Retention, now: float) -> list[NodeBackup]:
    """Backups that may go: beyond the last so many of their node, or too old; never one of a campaign in `needed`.

    `rows` are all of them, whatever their state.
    """
    kept: defaultdict[str, int] = defaultdict(int)
    found = []
    for row in sorted(rows, key=lambda row: (-row.taken_at, row.id)):
        if row.state is State.PRUNED:
            continue
        kept[row.node] += 1
        old = now - row.taken_at > retention.max_age_s
        free = row.campaign not in needed and row.restore is not RestoreState.RUNNING
        if free and (old or kept[row.node] > retention.keep_last):
            found.append(row)
    return found


async def campaigns_in_need(ctx: Context) -> set[str]:
    """Campaigns that may still ask for their backups."""
    return {row.name for row in await ctx.store.campaigns.list() if row.state not in NEEDLESS}


async def _out_of_service(ctx: Context) -> set[tuple[str, str]]:
    """Campaigns with the nodes that they left out of service, whatever became of them: a backup may be such a node's way back.

    A restore by hand that went wrong stands for every campaign.
    """
    return {(row.campaign, row.node) for row in await ctx.store.restorations.open() if row.kind == CORDON}


async def prune(ctx: Context, retention: Retention, *, dry_run: bool = False) -> Swept:
    """Remove what retention lets go, node by node; a node that does not answer or is busy is left for the next time."""
    rows = await ctx.store.backups.list()
    needed = await campaigns_in_need(ctx)
    out = await _out_of_service(ctx)
    going = [
        row
        for row in spent(rows, needed, retention, ctx.clock.now())
        if not out & {(c, row.node) for c in (row.campaign, BY_HAND)}
    ]
    if dry_run:
        return Swept(going, sum(row.size_bytes for row in going), {})
    held = {row.node for row in rows if row.campaign in needed or row.restore is RestoreState.RUNNING}
    held |= {node for _, node in out}
    pruned: list[NodeBackup] = []
    freed, left = 0, {}
    for (node, driver), mine in by_node(going).items():
        older_s = None if node in held else retention.max_age_s
        gone, bytes_, why = await remove(ctx, node, driver, mine, older_s)
        pruned, freed = [*pruned, *gone], freed + bytes_
        if why:
            left[node] = why
    return Swept(pruned, freed, left)


def by_node(rows: Sequence[NodeBackup]) -> Mapping[tuple[str, str], list[NodeBackup]]:
    """Backups by their node and the driver that took them."""
    found: defaultdict[tuple[str, str], list[NodeBackup]] = defaultdict(list)
    for row in rows:
        found[row.node, row.driver].append(row)
    return found


async def remove(
    ctx: Context, node: str, driver: str, rows: Sequence[NodeBackup], older_s: float | None
) -> tuple[list[NodeBackup], int, str]:
    """Remove backups of one node: those that are gone, the bytes that became free, and why the rest was left alone."""
    system = ctx.systems.get(driver)
    if system is None:
        return [], 0, f"the driver {driver} is not configured any more"
    try:
        found = await system.shelf.prune(node, [row.content for row in rows], older_s)
    except EscalatorError as error:
        return [], 0, error.message
    if found.busy:
        return [], 0, "an operation is under way on the node"
    now = ctx.clock.now()
    gone = []
    for row in rows:
        marked = await ctx.store.backups.mark(row.id, state=State.PRUNED, pruned_at=now)
        gone.append(marked or row)
        event = Event(at=now, action="backup.prune", campaign=row.campaign, node=node, object_id=row.id, outcome="done")
        await ctx.store.events.append((event,))
    return gone, found.freed_bytes, ""
