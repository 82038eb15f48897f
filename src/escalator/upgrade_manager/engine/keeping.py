"""What is kept of nodes: a record of each backup, and which of them nobody needs any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from escalator.model.backup import BackupState as State
from escalator.model.backup import NodeBackup, RestoreState, backup_id
from escalator.model.errors import EscalatorError
from escalator.model.progress import Event
from escalator.model.release import Release
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.staying import Needs, Retention, needs, stays


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


def spent(rows: Sequence[NodeBackup], needed: Needs, retention: Retention, now: float, release: str = "") -> list[NodeBackup]:
    """Backups that may go, newest first: beyond the last so many of their node, or too old; never one that may be needed.

    `rows` are all of them, whatever their state. With a release, those that were taken before that one was installed,
    whatever retention says.
    """
    kept = stays(rows, needed, retention, now)
    there = sorted((row for row in rows if row.state is not State.PRUNED), key=lambda row: (-row.taken_at, row.id))
    if release:
        return [row for row in there if row.release == release and (row.id not in kept or kept[row.id].by_retention)]
    return [row for row in there if row.id not in kept]


async def prune(ctx: Context, retention: Retention, *, dry_run: bool = False, release: str = "") -> Swept:
    """Remove what retention lets go, node by node; a node that does not answer or is busy is left for the next time.

    With a release, what was taken before its installation goes, whatever retention says; what may be needed stays all the same.
    """
    rows = await ctx.store.backups.list()
    needed = await needs(ctx)
    going = spent(rows, needed, retention, ctx.clock.now(), release)
    if dry_run:
        return Swept(going, sum(row.size_bytes for row in going), {})
    held = {row.node for row in rows if row.campaign in needed.campaigns or row.restore is RestoreState.RUNNING}
    held |= {node for _, node in needed.out}
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
        await ctx.store.events.append((replace(event, by=ctx.by),))
    return gone, found.freed_bytes, ""
