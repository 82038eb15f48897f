"""Nodes that bear the mark of a campaign of ours while no sheet knows of them: the database is older than the cloud.

A change is on the break-glass sheet before it is made, so a node that is disabled in our name is on it, too. It is not where a
backup of an earlier moment was put back. Such a node is put on the sheet as it is found: its software may be half changed, so
that a person decides about it, and no campaign ends without naming it.
"""

from __future__ import annotations

from escalator.cloud_manager.port import ServiceState
from escalator.model.progress import Event, Restoration
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON
from escalator.upgrade_manager.planner.scope import campaign_in


async def note_marked(ctx: Context, campaign: str | None = None) -> list[str]:
    """Put nodes that bear a campaign's mark, and are on no sheet, on its sheet; the nodes. All campaigns where none is named.

    Raises TemporaryError when the cloud does not answer.
    """
    # First the cloud: what is on the sheet since then was written before it was changed.
    marked = {node: name for node, state in (await ctx.cloud.unavailable()).items() if (name := _whose(state))}
    known = {row.node for row in await ctx.store.restorations.open() if row.kind == CORDON} if marked else set()
    found = []
    for node, name in sorted(marked.items()):
        wanted = campaign in (None, name) and node not in known and await ctx.store.campaigns.get(name) is not None
        # It may have been put back between the two looks.
        if wanted and _whose(await ctx.cloud.service(node)) == name:
            await _note(ctx, name, node)
            found.append(node)
    if found:
        await ctx.sheet.rewrite(ctx.store.restorations)
    return found


def _whose(state: ServiceState) -> str:
    """The campaign in whose name the node is disabled; empty where it is none's."""
    return "" if state.enabled else campaign_in(state.reason)


async def _note(ctx: Context, name: str, node: str) -> None:
    task, now = await ctx.store.tasks.get(name, node), ctx.clock.now()
    was = ServiceState(node=node, enabled=True, up=True).to_json()
    row = Restoration(
        id=f"{name}/{node}/{task.attempt if task is not None else 1}/{CORDON}/{node}",
        campaign=name,
        kind=CORDON,
        object_id=node,
        node=node,
        found=was,
        commands=ctx.cloud.by_hand(CORDON, node, node, was),
        created_at=now,
    )
    await ctx.store.restorations.add(row)
    message = (
        f"{node} is disabled in this campaign's name and was on no sheet: the database is older than the cloud;"
        " see what runs on the node, then put it back as the sheet says"
    )
    event = Event(at=now, action="restoration.found", campaign=name, node=node, object_id=node, outcome="open", message=message)
    await ctx.store.events.append((event,))
