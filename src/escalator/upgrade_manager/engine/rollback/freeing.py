"""A campaign that is committed gives up its backups; from then on there is no way back.

But for a node that it left out of service, on software that is neither proved nor put back: that has no other way into service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from escalator.model.backup import BackupState
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.progress import Event
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.keeping import by_node, remove
from escalator.upgrade_manager.engine.rollback.changed import changed_by
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON

AT_ONCE = 20
TRIES = 3
KEPT = "kept: the node is out of service on software that nobody proved; escalator backup restore is its way back"


async def begin_freeing(ctx: Context, name: str) -> None:
    """Start the workflow that frees the backups; nothing happens when it was started before."""
    await ctx.launcher.start("commit", f"commit/{name}", {"campaign": name})


async def run_commit(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the backups that the campaign took. What cannot be removed, or may be needed, is reported, and stays."""
    return dict(await rt.step("free-backups", partial(_free, ctx, str(arguments["campaign"]))))


async def _free(ctx: Context, name: str) -> dict[str, Any]:
    rows = [row for row in await ctx.store.backups.list() if row.campaign == name and row.state is not BackupState.PRUNED]
    left = await _left_out(ctx, name)
    kept = sorted({row.node for row in rows if row.node in left})
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

    said = await asyncio.gather(*(one(node, driver) for node, driver in by_node(rows) if node not in left))
    freed = sum(gone for _, gone, _ in said)
    failed = {node: why for node, _, why in said if why}
    await _tell(ctx, name, failed, kept, f"{freed} of {counted(len(rows), 'backup is', 'backups are')} removed")
    return {"removed": freed, "left": len(rows) - freed}


async def _tell(ctx: Context, name: str, failed: Mapping[str, str], kept: Sequence[str], message: str) -> None:
    now, code = ctx.clock.now(), Code.UPG_BACKUP_LEFT.value
    drop = partial(Event, at=now, action="backup.drop", campaign=name)
    events = [drop(node=n, object_id=n, outcome="failed", code=code, message=why) for n, why in failed.items()]
    events += [drop(node=n, object_id=n, outcome="held", message=KEPT) for n in kept]
    outcome = "failed" if failed else "done"
    events.append(Event(at=now, action="campaign.backups", campaign=name, object_id=name, outcome=outcome, message=message))
    await ctx.store.events.append(tuple(events))


async def _left_out(ctx: Context, name: str) -> set[str]:
    """Nodes that the campaign changed and left out of service."""
    held = {row.node for row in await ctx.store.restorations.open(name) if row.kind == CORDON}
    return held and {node for node, one in (await changed_by(ctx, name)).items() if node in held and one.touched}
