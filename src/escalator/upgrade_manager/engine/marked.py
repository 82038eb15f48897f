"""Nodes that bear the mark of a campaign of ours while no sheet knows of them: the database is older than the cloud.

A change is on the break-glass sheet before it is made, so a node that is disabled in our name is on it, too. It is not where a
backup of an earlier moment was put back, or the database was lost. Such a node is put on the sheet as it is found, below a
warning: its software may be half changed, so that a person decides about it, and no campaign ends without naming it. Where the
database does not even have the campaign, another Escalator may work on the node as well. What ran on it when the plan was made
and is stopped now was stopped for its turn, as far as anybody can tell: that is on the sheet, too, and the node's next turn
starts it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from escalator.cloud_manager.port import ServiceState
from escalator.model.campaign import Migration
from escalator.model.progress import Event, Restoration
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.standing import STOPPED
from escalator.upgrade_manager.engine.steps.between import guarded
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
        wanted = campaign in (None, name) and node not in known
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
    known = await ctx.store.campaigns.get(name) is not None
    warning = (_OLDER if known else _STRANGE).format(name) + _LOOK
    changed = [(CORDON, node, ServiceState(node=node, enabled=True, up=True).to_json())]
    changed += [(STOPPED, instance, {"state": "active"}) for instance in await _stopped(ctx, name, node)]
    for kind, object_id, was in changed:
        commands = guarded(ctx.cloud.by_hand(kind, node, object_id, was), warning)
        message = _SAID[kind].format(object_id) if known else f"{object_id} is out of service and was on no sheet: {warning}"
        await _put(ctx, name, (kind, node, object_id), was, commands)
        event = Event(at=ctx.clock.now(), action="restoration.found", campaign=name, node=node, object_id=object_id)
        await ctx.store.events.append((replace(event, outcome="open", message=message),))


async def _stopped(ctx: Context, name: str, node: str) -> list[str]:
    """Instances on the node that ran when the campaign's plan was made, and are stopped."""
    row = await ctx.store.campaigns.get(name)
    if row is None or row.plan is None:
        return []
    _, inventory = await ctx.book.plan(row.plan)
    ran = {instance.id for instance in inventory.instances if instance.running}
    return sorted(i.id for i in await ctx.cloud.instances_on(node, Migration()) if i.state == "stopped" and i.id in ran)


async def _put(ctx: Context, name: str, what: tuple[str, str, str], was: Mapping[str, object], commands: tuple[str, ...]) -> None:
    kind, node, object_id = what
    task = await ctx.store.tasks.get(name, node)
    row = Restoration(
        id=f"{name}/{node}/{task.attempt if task is not None else 1}/{kind}/{object_id}",
        campaign=name,
        kind=kind,
        object_id=object_id,
        node=node,
        found=was,
        commands=commands,
        created_at=ctx.clock.now(),
    )
    await ctx.store.restorations.add(row)


_STRANGE = (
    "it is disabled in the name of campaign {}, which this database does not have: the database was lost, or another Escalator"
    " works on the node."
)
_OLDER = "it was found disabled in the name of campaign {} and was on no sheet: the database is older than the cloud."
_LOOK = (
    " Its software may be neither the old nor the new one. First see that nothing works on it, that its packages are whole and of"
    " one release, and which instances on it are stopped; an earlier sheet may name those, and more."
)
_SAID = {
    CORDON: "{} is disabled in this campaign's name and was on no sheet: the database is older than the cloud;"
    " see what runs on the node, then put it back as the sheet says",
    STOPPED: "{} ran when the plan was made, and is stopped on a node that is disabled in this campaign's name: it was"
    " stopped for the node's turn unless its owner did it; the node's next turn starts it again, else start it as the sheet says",
}
