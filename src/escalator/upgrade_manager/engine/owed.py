"""Nodes that were not back when their campaign ended: who was asked about them hears that they are, whenever that is.

A host may be repaired, or enabled, days after the campaign. Nothing of the campaign runs any more then, so the server looks.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from escalator.model.errors import EscalatorError, PermanentError
from escalator.upgrade_manager.engine.by_hand import take_off
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.in_service import owed_nodes, tell_owed
from escalator.upgrade_manager.engine.marked import note_marked
from escalator.upgrade_manager.engine.restore import BY_HAND
from escalator.upgrade_manager.engine.states import ACTIVE
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON

LOOK_S = 60.0
"""Between two looks; a look asks the cloud only while somebody is still to hear of a node."""
LONGEST_S = 90 * 86400.0
"""A node that is away for longer is not waited for any more, seconds from the end of its campaign."""
_PLACE, _KEY = "*", "available-owed"
"""Where the campaigns are kept that owe news: a memo of no campaign, whose names are DNS labels."""

_log = structlog.get_logger()


async def tell_at_the_end(ctx: Context, name: str) -> list[str]:
    """Tell of the nodes that are back by now, as the campaign ends; those that are not, which are looked after from now on."""
    out = await tell_owed(ctx, name, await ctx.cloud.unavailable())
    if out:
        await _remember(ctx, name)
    return out


async def _remember(ctx: Context, name: str) -> None:
    await ctx.store.tasks.remember(_PLACE, _KEY, {**await _owing(ctx), name: ctx.clock.now()})


async def look(ctx: Context) -> None:
    """Tell of nodes that have come back since their campaigns ended. Raises TemporaryError when the cloud does not answer."""
    await _put_back(ctx)
    owing = await _owing(ctx)
    if not owing:
        return
    unavailable = frozenset(await ctx.cloud.unavailable())
    left = {}
    for name, ended_at in owing.items():
        row = await ctx.store.campaigns.get(name)
        if row is None or ctx.clock.now() - ended_at > LONGEST_S:
            continue
        going = row.state in ACTIVE  # on its way back: it looks by itself, and says at its end what is left
        if going or await tell_owed(ctx, name, unavailable | await _unknown(ctx, name, unavailable)):
            left[name] = ended_at
    if left != owing:
        await ctx.store.tasks.remember(_PLACE, _KEY, left)


async def _put_back(ctx: Context) -> None:
    """Take from the sheet the nodes that campaigns left out of service and a person has enabled since."""
    rows = {(row.campaign, row.node) for row in await ctx.store.restorations.open() if row.kind == CORDON}
    slots = {(slot.campaign, slot.node): slot.task for slot in await ctx.store.admission.node_slots()} if rows else {}
    for name, node in sorted(rows):
        row = await ctx.store.campaigns.get(name)
        # A restore outside of campaigns puts back itself. Of a campaign that the database does not have, nothing runs.
        if name == BY_HAND or (row is not None and row.state in ACTIVE):
            continue
        if not await take_off(ctx, name, node) and (name, node) in slots:
            # By its name: the campaign may be on its way back by now.
            await ctx.store.admission.leave_node(name, node, slots[name, node])
        if node in await owed_nodes(ctx, name):
            await _remember(ctx, name)


async def watch(ctx: Context) -> None:
    """Look again and again, until cancelled; at first whether nodes are out of service in our name that no sheet knows of."""
    marked = None
    while True:
        try:
            marked = await note_marked(ctx) if marked is None else marked
            await look(ctx)
        except EscalatorError as error:
            _log.warning("owed.failed", code=error.code.value, message=error.message)
        await ctx.clock.sleep(LOOK_S)


async def _owing(ctx: Context) -> Mapping[str, float]:
    return dict((await ctx.store.tasks.memo(_PLACE)).get(_KEY) or {})


async def _unknown(ctx: Context, name: str, unavailable: frozenset[str]) -> frozenset[str]:
    """Nodes that the cloud does not have any more: it shows none of them down, and yet they are not back."""
    gone = set()
    for node in await owed_nodes(ctx, name) - unavailable:
        try:
            await ctx.cloud.service(node)
        except PermanentError:
            gone.add(node)
    return frozenset(gone)
