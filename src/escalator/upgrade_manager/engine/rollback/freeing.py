"""A campaign that is committed gives up its backups; from then on there is no way back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError
from escalator.model.progress import Event
from escalator.system_support.port import SystemSupport
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.changed import backups_of
from escalator.upgrade_manager.engine.runtime import Runtime

AT_ONCE = 20
TRIES = 3


async def begin_freeing(ctx: Context, name: str) -> None:
    """Start the workflow that frees the backups; nothing happens when it was started before."""
    await ctx.launcher.start("commit", f"commit/{name}", {"campaign": name})


async def run_commit(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Remove every backup that the campaign took. What cannot be removed is reported, and stays."""
    return dict(await rt.step("free-backups", partial(_free, ctx, str(arguments["campaign"]))))


async def _free(ctx: Context, name: str) -> dict[str, Any]:
    campaign = await ctx.book.campaign(name)
    system = ctx.systems.get(campaign.spec.node.driver)
    backups = await backups_of(ctx, name)
    gate = asyncio.Semaphore(AT_ONCE)
    said = await asyncio.gather(*(_drop(ctx, system, gate, node, backup) for node, backup in backups))
    now = ctx.clock.now()
    bad = [(node, error) for (node, _), error in zip(backups, said, strict=True) if error]
    code = Code.UPG_BACKUP_LEFT.value
    events = [
        Event(at=now, action="backup.drop", campaign=name, node=n, object_id=n, outcome="failed", code=code, message=error)
        for n, error in bad
    ]
    freed = Counter(bool(error) for error in said)[False]
    message = f"{freed} of {len(backups)} backups are removed"
    events.append(
        Event(
            at=now, action="campaign.backups", campaign=name, object_id=name, outcome="failed" if bad else "done", message=message
        )
    )
    await ctx.store.events.append(tuple(events))
    return {"removed": freed, "left": len(bad)}


async def _drop(ctx: Context, system: SystemSupport | None, gate: asyncio.Semaphore, node: str, backup: Mapping[str, Any]) -> str:
    """Why the backup could not be removed; empty when it is gone."""
    if system is None:
        return "its driver is not configured"
    error = ""
    async with gate:
        for number in range(1, TRIES + 1):
            try:
                await system.drop_backup(node, backup)
            except EscalatorError as caught:
                error = caught.message
                await ctx.clock.sleep(ctx.pace.poll_s * number)
            else:
                return ""
    return error
