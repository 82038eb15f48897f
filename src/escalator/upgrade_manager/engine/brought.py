"""What earlier campaigns brought to the nodes, and which nodes run a campaign's release already because of that."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory
from escalator.model.progress import NodeTask, TaskKind, TaskState
from escalator.model.release import Release
from escalator.system_support import told
from escalator.system_support.port import SystemSupport
from escalator.upgrade_manager.engine.context import Context

AT_ONCE = 32
"""Nodes looked at at the same time."""

UNTOUCHED = (Code.UPG_SKIPPED.value, Code.UPG_NO_TURN.value, Code.UPG_ABORTED.value)
"""Codes of nodes that were left out before anything was done to them."""


@dataclass(frozen=True, slots=True)
class Brought:
    """The version of a release that a campaign brought to a node, and when (Unix seconds)."""

    version: str
    at: float


async def by_campaigns(ctx: Context) -> Mapping[str, Mapping[str, Brought]]:
    """What campaigns brought to each node, by the release's name; nothing where the last one left it in doubt."""
    found: defaultdict[str, dict[str, Brought]] = defaultdict(dict)
    # One campaign at a time has the cloud, and none goes back before those that came after it.
    for row in sorted(await ctx.store.campaigns.list(), key=lambda row: row.started_at or 0.0):
        name, _, version = str(row.document.get("spec", {}).get("release") or "").partition("/")
        if row.started_at is None or not version:
            continue
        for task in await ctx.store.tasks.list(row.name, ladders=False):
            if task.state is TaskState.DONE and task.kind is TaskKind.UPGRADE:
                found[task.node][name] = Brought(version, task.updated_at)
            elif not _as_before(task):
                found[task.node].pop(name, None)
    return found


def _as_before(task: NodeTask) -> bool:
    """Whether the node runs what it ran before the campaign."""
    match task.state:
        case TaskState.DONE | TaskState.ROLLED_BACK:
            return True
        case TaskState.PENDING:
            return task.attempt == 1
        case TaskState.SKIPPED:
            # What an earlier attempt did is not known, nor is a node untouched that was to go back and did not.
            return task.attempt == 1 and task.code in UNTOUCHED
        case _:
            return False


async def marked(ctx: Context, campaign: Campaign, inventory: Inventory) -> Inventory:
    """The inventory in which nodes of the scope that run the campaign's release already are upgraded.

    That is so where the last campaign for this release brought it, and the node says nothing else. Without it the nodes that
    a campaign had done before it was aborted would be emptied, changed and rebooted once more by the next one. A node that
    does not answer has its turn.
    """
    system = ctx.systems.get(campaign.spec.node.driver)
    if campaign.spec.release is None or system is None:
        return inventory
    name, _, version = campaign.spec.release.partition("/")
    brought = await by_campaigns(ctx)
    candidates = [
        (node.id, there)
        for node in inventory.nodes
        if node.progress == "old" and campaign.spec.scope.includes(node)
        if (there := brought.get(node.id, {}).get(name)) is not None and there.version == version
    ]
    if not candidates:
        return inventory
    release = await ctx.book.release(campaign.spec.release)
    gate = asyncio.Semaphore(AT_ONCE)

    async def runs(node: str, there: Brought) -> bool:
        async with gate:
            return await _says_so(system, node, release) and not await _taken_back(ctx, node, there.at)

    found = await asyncio.gather(*(runs(node, there) for node, there in candidates))
    return with_done(inventory, {node for (node, _), so in zip(candidates, found, strict=True) if so})


def with_done(inventory: Inventory, done: set[str] | frozenset[str]) -> Inventory:
    """The inventory in which these nodes are upgraded."""
    if not done:
        return inventory
    return inventory.with_nodes([n.model_copy(update={"progress": "done"}) if n.id in done else n for n in inventory.nodes])


def done_before(planned_on: Inventory) -> frozenset[str]:
    """Nodes that were upgraded when the plan was made."""
    return frozenset(node.id for node in planned_on.nodes if node.progress == "done")


async def _says_so(system: SystemSupport, node: str, release: Release) -> bool:
    try:
        facts = await system.inspect(node, release)
    except EscalatorError:
        return False
    return all(check.ok for check in told.versions(release, facts))


async def _taken_back(ctx: Context, node: str, since: float) -> bool:
    """Whether a backup of the node was put back since: by hand, past its campaign."""
    return any(row.restored_at is not None and row.restored_at >= since for row in await ctx.store.backups.list(node=node))
