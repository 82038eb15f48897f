"""That a node is back: VNF managers are told when the cloud shows it in service, and not before.

A turn may end with the node down, or disabled by somebody else meanwhile. Who was asked about it then still has to hear of it:
that is written down, and made good when the campaign sees the node back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from escalator.model.notice import NoticeType
from escalator.model.progress import Restoration
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job, TaskRef
from escalator.upgrade_manager.engine.kinds import computes

OUT_SINCE = "out_since"
"""Memo of a turn: the attempt that took the node out of service, when that was an earlier one."""
OWED = "available-owed/"
"""Memo of a campaign, with the node's id behind it: the turn at whose end the node was not back, and since which attempt."""
DOWN_SINCE = "down_since"
"""Memo of a turn: when its node was first seen down although its turn was through, Unix seconds."""
REPORT_S = 180.0
"""A node whose software was touched may just have booted: its compute service has as long as this to report."""


async def tell_if_back(job: Job) -> str:
    """Tell VNF managers that the node is available. What keeps it from being so, when it is not: they are told later."""
    why = await _out_of_service(job)
    key = OWED + job.node
    owed = (await job.ctx.store.tasks.memo(job.ref.campaign)).get(key) if job.ref.attempt > 1 else None
    # Who was asked in a turn at whose end the node was not back is told with those of this one.
    since = min(job.ref.attempt, int(owed["since"])) if owed else job.ref.attempt
    if why:
        await job.ctx.store.tasks.remember(job.ref.campaign, key, {"turn": job.ref.to_json(), "since": since})
        return why
    await tell_available(job.ctx, job.ref, since)
    if owed:
        await job.ctx.store.tasks.remember(job.ref.campaign, key, None)
    return ""


async def tell_owed(ctx: Context, name: str, unavailable: Collection[str]) -> list[str]:
    """Tell of nodes that were not back at the end of their turns and are now; those that still are not.

    `unavailable` are the nodes that the cloud shows down or disabled.
    """
    owed = await _owed(ctx, name)
    for node in sorted(owed.keys() - set(unavailable)):
        one = owed.pop(node)
        await tell_available(ctx, TaskRef.from_json(one["turn"]), int(one["since"]))
        await ctx.store.tasks.remember(name, OWED + node, None)
    return sorted(owed)


async def tell_by_hand(ctx: Context, cordon: Restoration) -> None:
    """Tell VNF managers of a node that a person has enabled, if it serves; else that is owed to them."""
    campaign, task = await ctx.store.campaigns.get(cordon.campaign), await ctx.store.tasks.get(cordon.campaign, cordon.node)
    if campaign is None or task is None:
        return
    ref = TaskRef(task.campaign, task.node, task.attempt, task.wave, campaign.plan or "", task.kind)
    found = await ctx.cloud.service(ref.node)
    if found.up and found.enabled:
        await tell_available(ctx, ref, attempt_of(cordon))
    else:
        await ctx.store.tasks.remember(ref.campaign, OWED + ref.node, {"turn": ref.to_json(), "since": attempt_of(cordon)})


def attempt_of(row: Restoration) -> int:
    """In which attempt of its node a change was made."""
    return int(row.id.removesuffix(f"/{row.kind}/{row.object_id}").rpartition("/")[2])


async def owed_nodes(ctx: Context, name: str) -> frozenset[str]:
    """Nodes of which somebody is still to hear that they are back."""
    return frozenset(await _owed(ctx, name))


async def _owed(ctx: Context, name: str) -> dict[str, Any]:
    memo = await ctx.store.tasks.memo(name)
    return {key.removeprefix(OWED): one for key, one in memo.items() if key.startswith(OWED) and one}


async def tell_available(ctx: Context, ref: TaskRef, since: int | None = None) -> None:
    """Tell each VNF manager that was asked, in this turn or an earlier one that left the node out, that it is available.

    `since` is the first attempt whose VNF managers were not told; null where that is this one.
    """
    told: set[str] = set()
    first = min(int((await ctx.store.tasks.memo(ref.id)).get(OUT_SINCE) or ref.attempt), since or ref.attempt)
    for attempt in range(ref.attempt, first - 1, -1):
        turn = replace(ref, attempt=attempt).id
        owners = (await ctx.store.tasks.memo(turn)).get("owners") or {}
        names = sorted(set(owners.values()) - told)
        told.update(names)
        if names:
            kind, key = NoticeType.HOST_AVAILABLE, f"{turn}/available"
            await ctx.vim.tell(kind, ref.campaign, node=ref.node, vnfms=names, key=key, task=turn)


async def why_down(job: Job) -> str:
    """Why the node cannot serve whoever enables it: its compute service does not report. Empty when it does.

    It has its time to do so once in its turn, whoever is to be told and in however many steps.
    """
    clock = job.ctx.clock
    latest: float | None = None
    while not (await job.ctx.cloud.service(job.node)).up:
        if latest is None:
            began = float(await job.remember(DOWN_SINCE, clock.now(), once=True))
            latest = began + (REPORT_S if "facts" in await job.memo() else 0.0)
        if clock.now() >= latest:
            return "its compute service is down"
        await clock.sleep(job.ctx.pace.poll_s)
    return ""


async def _out_of_service(job: Job) -> str:
    """Why the node is not in service by the cloud's word; empty when it is, or no instance lands on such a node."""
    if not computes(job):
        return ""
    found = await job.ctx.cloud.service(job.node)
    if not found.up and (why := await why_down(job)):
        return why
    return "" if found.enabled else f"it is disabled: {found.reason or 'no reason given'}"
