"""What a person has put back by hand is taken from the break-glass sheet: the cloud's word counts, not ours."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.cloud_manager.port import ServiceState
from escalator.model.errors import PermanentError
from escalator.model.progress import Event, Restoration
from escalator.upgrade_manager.engine import pins, quotas
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.in_service import tell_by_hand
from escalator.upgrade_manager.engine.standing import STOPPED
from escalator.upgrade_manager.engine.states import ENDED
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON
from escalator.upgrade_manager.engine.steps.members import KINDS as MEMBER_KINDS
from escalator.upgrade_manager.engine.steps.members import is_back as member_is_back
from escalator.upgrade_manager.engine.steps.neighbours import KIND as MAINTENANCE
from escalator.upgrade_manager.engine.steps.neighbours import left
from escalator.upgrade_manager.engine.steps.out_of_band import KIND as POWER
from escalator.upgrade_manager.engine.steps.out_of_band import seen_back as power_is_back
from escalator.upgrade_manager.engine.steps.probe_vm import KINDS as PROBE_KINDS
from escalator.upgrade_manager.engine.steps.probe_vm import is_back as probe_is_back
from escalator.upgrade_manager.engine.steps.vacate import stay_of
from escalator.upgrade_manager.engine.told import tell_back_by_hand


async def take_off(ctx: Context, campaign: str, node: str | None = None) -> Sequence[Restoration]:
    """Take from the sheet what the cloud shows as it was found; the rows that are still to be put back.

    Only for nodes whose turn is over: while it lasts, its steps put back what they changed. Raises TemporaryError when
    the cloud does not answer.
    """
    rows = await ctx.store.restorations.open(campaign, node)
    waiting: list[Restoration] = []
    deaf: set[str] = set()
    # What the cloud shows comes first: a neighbour hears that a host is back when nothing else of it is to be put back.
    for row in sorted(rows, key=lambda row: row.kind == MAINTENANCE):
        if row.kind != MAINTENANCE:
            back = await _is_back(ctx, row)
        else:
            # Who does not take one piece of news is not asked to take hundreds, each with its time-out.
            free = row.object_id not in deaf and await _may_be_told(ctx, row)
            back = free and await left(ctx, row, tries=1)
            deaf |= {row.object_id} if free and not back else set()
        if not (back and await _done(ctx, row)):
            waiting.append(row)
    if len(waiting) < len(rows):
        await ctx.sheet.rewrite(ctx.store.restorations)
    return waiting


async def take_off_ended(ctx: Context) -> None:
    """The same for every node whose turn is over, in whichever campaign; what is all put back holds no slot any more.

    Raises TemporaryError when the cloud does not answer.
    """
    # Quotas and pins are not a node's: the campaign puts them back by itself, and may be setting them just now.
    rows = {(row.campaign, row.node) for row in await ctx.store.restorations.open() if row.kind not in (quotas.KIND, pins.KIND)}
    slots = {(slot.campaign, slot.node): slot.task for slot in await ctx.store.admission.node_slots()}
    for key in sorted(rows | slots.keys()):
        task = await ctx.store.tasks.get(*key)
        if (task is None or task.state in ENDED) and not await take_off(ctx, *key) and key in slots:
            # By its name: the node may be in another turn by now.
            await ctx.store.admission.leave_node(*key, slots[key])


def needs_person(ctx: Context, row: Restoration) -> bool:
    """Whether a campaign may not be over with this row on the sheet: not for a neighbour that need not know, nor for pins.

    Versions stay pinned as long as nodes differ, and that is for longer than a campaign.
    """
    if row.kind == pins.KIND:
        return False
    return row.kind != MAINTENANCE or any(one.required for one in ctx.neighbours if one.name == row.object_id)


async def _may_be_told(ctx: Context, row: Restoration) -> bool:
    """Whether the host is back: nothing else of it is to be put back, and no other campaign has it."""
    others = await ctx.store.restorations.open(node=row.node)
    taken = [slot for slot in await ctx.store.admission.node_slots() if slot.node == row.node and slot.campaign != row.campaign]
    return not taken and all(other.kind == MAINTENANCE for other in others)


async def _is_back(ctx: Context, row: Restoration) -> bool:
    if row.kind == STOPPED:
        instance = await ctx.cloud.instance(row.object_id)
        # One that is still being stopped by the turn that is over runs, and will not.
        return instance is None or (instance.running and instance.task_state is None)
    if row.kind == quotas.KIND:
        return await quotas.is_back(ctx, row)
    if row.kind != CORDON:
        return await _of_a_step_is_back(ctx, row)
    found = ServiceState(**row.found)  # type: ignore[arg-type]  # written by to_json
    try:
        now = await ctx.cloud.service(row.node)
    except PermanentError:
        return False
    return now.enabled if found.enabled else (now.enabled, now.reason) == (False, found.reason)


async def _of_a_step_is_back(ctx: Context, row: Restoration) -> bool:
    """Of what single steps change, cloud and clusters show these. The cloud shows nothing of a node that it does not know."""
    try:
        if row.kind in PROBE_KINDS:
            return await probe_is_back(ctx, row)
        if row.kind in MEMBER_KINDS:
            return await member_is_back(ctx, row)
        return row.kind == POWER and await power_is_back(ctx, row)
    except PermanentError:
        return False


async def _done(ctx: Context, row: Restoration) -> bool:
    """Take the row off; whether it is. Telling of it takes its time, in which another turn may have taken the node again."""
    now = ctx.clock.now()
    event = Event(
        at=now,
        action="restoration.by-hand",
        campaign=row.campaign,
        node=row.node,
        object_id=row.object_id,
        outcome="done",
        message=f"{row.kind} of {row.object_id} was put back by hand",
    )
    if row.kind == CORDON:
        await tell_by_hand(ctx, row)
    if row.kind in (CORDON, STOPPED):
        await tell_back_by_hand(ctx, row, instance=row.kind == STOPPED)
    if row.kind in (CORDON, STOPPED) and not await _is_back(ctx, row):
        return False
    await ctx.store.restorations.done(row.id, now)
    if row.kind == STOPPED:
        await ctx.store.admission.end_impact(stay_of(row), now)
    if row.kind != MAINTENANCE:  # that was told by us, and said so
        await ctx.store.events.append((event,))
    return True
