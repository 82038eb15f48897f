"""What earlier campaigns brought to the nodes, and which nodes run a campaign's release already because of that."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

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


async def by_campaigns(ctx: Context) -> Mapping[str, Mapping[str, str]]:
    """The version of each release that campaigns brought to each node; nothing where the last one left it in doubt."""
    turns: list[tuple[float, str, str, NodeTask]] = []
    for row in await ctx.store.campaigns.list():
        name, _, version = str(row.document.get("spec", {}).get("release") or "").partition("/")
        if row.started_at is not None and version:
            turns += [(t.updated_at, name, version, t) for t in await ctx.store.tasks.list(row.name, ladders=False)]
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for _, name, version, task in sorted(turns, key=lambda turn: turn[0]):
        if task.state is TaskState.DONE and task.kind is TaskKind.UPGRADE:
            found[task.node][name] = version
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
            return task.code in UNTOUCHED
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
        node.id
        for node in inventory.nodes
        if node.progress == "old" and campaign.spec.scope.includes(node) and brought.get(node.id, {}).get(name) == version
    ]
    if not candidates:
        return inventory
    release = await ctx.book.release(campaign.spec.release)
    gate = asyncio.Semaphore(AT_ONCE)

    async def runs(node: str) -> bool:
        async with gate:
            return await _says_so(system, node, release)

    there = {n for n, so in zip(candidates, await asyncio.gather(*map(runs, candidates)), strict=True) if so}
    return with_done(inventory, there)


def with_done(inventory: Inventory, done: set[str] | frozenset[str]) -> Inventory:
    """The inventory in which these nodes are upgraded."""
    if not done:
        return inventory
    nodes = tuple(n.model_copy(update={"progress": "done"}) if n.id in done else n for n in inventory.nodes)
    return Inventory.model_construct(nodes=nodes, instances=inventory.instances, groups=inventory.groups)


def done_before(planned_on: Inventory) -> frozenset[str]:
    """Nodes that were upgraded when the plan was made."""
    return frozenset(node.id for node in planned_on.nodes if node.progress == "done")


async def _says_so(system: SystemSupport, node: str, release: Release) -> bool:
    try:
        facts = await system.inspect(node, release)
    except EscalatorError:
        return False
    return all(check.ok for check in told.versions(release, facts))
