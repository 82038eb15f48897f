"""A campaign that is committed gives up its backups; from then on there is no way back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from escalator.model.backup import BackupState
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.progress import Event
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.keeping import by_node, remove
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
    rows = [row for row in await ctx.store.backups.list() if row.campaign == name and row.state is not BackupState.PRUNED]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(node: str, driver: str) -> tuple[str, int, str]:
        mine = [row for row in rows if (row.node, row.driver) == (node, driver)]
        async with gate:
            for number in range(1, TRIES + 1):
                gone, _, why = await remove(ctx, node, driver, mine, None)
                if not why:
                    break
                await ctx.clock.sleep(ctx.pace.poll_s * number)
        return node, len(gone), why

    said = await asyncio.gather(*(one(node, driver) for node, driver in by_node(rows)))
    now = ctx.clock.now()
    code = Code.UPG_BACKUP_LEFT.value
    events = [
        Event(at=now, action="backup.drop", campaign=name, node=n, object_id=n, outcome="failed", code=code, message=why)
        for n, _, why in said
        if why
    ]
    freed = sum(gone for _, gone, _ in said)
    outcome, message = "failed" if events else "done", f"{freed} of {counted(len(rows), 'backup is', 'backups are')} removed"
    events.append(Event(at=now, action="campaign.backups", campaign=name, object_id=name, outcome=outcome, message=message))
    await ctx.store.events.append(tuple(events))
    return {"removed": freed, "left": len(rows) - freed}
