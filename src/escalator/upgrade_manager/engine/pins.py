"""Pins of versions while nodes of one cloud differ: set before the first node, checked, released after the last.

What is pinned, and how, is the operator's: commands of the settings that the campaign names. Between setting and releasing a
row of the break-glass sheet tells of them. They stay as long as nodes of its scope differ, also beyond the campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from escalator.model.campaign import Campaign, Pins
from escalator.model.codes import Code
from escalator.model.inventory import Inventory
from escalator.model.progress import CampaignState, Event, Restoration
from escalator.system_support.port import Call
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import current_freeze
from escalator.upgrade_manager.engine.named import PASSED, TEMPORARY, Wanted, until_settled
from escalator.upgrade_manager.engine.states import ACTIVE

KIND = "version-pin"
"""Kind of their row on the sheet."""
SET = "pins_set"
"""Memo of a campaign: for which of its ways (`there`, `back`) all pins were set."""
WAY = "pins_way"
"""Memo of a campaign: which way it goes, so that its commands can tell a repetition from the way back."""
DUE = "pins_due"
"""Memo of a campaign: its pins were to be released, as no nodes differ, and that failed."""
STOPPED = "the campaign was stopped before its version pins were seen to hold"
"""In place of why a command failed: none did, and those that are left run when the campaign goes on."""
_GOING = {"there": (CampaignState.RUNNING,), "back": (CampaignState.ROLLING_BACK, CampaignState.RESTORING)}
"""States in which commands may begin, by the way that the campaign goes."""


async def hold(ctx: Context, campaign: Campaign, way: str = "there") -> str | None:
    """Set what is not set yet, and see whether it holds; why not, None when nodes may begin.

    Where a crash or a failure came in between, all of `set` is run again: commands bear that. None begins, and none is run
    again, once the campaign is stopped or everything is frozen: `STOPPED`.
    """
    name, pins = campaign.metadata.name, campaign.spec.pins
    wanted = partial(_wanted, ctx, name, way)
    if not (pins.set or pins.check):
        return None
    await _on_sheet(ctx, name, pins)
    await ctx.store.tasks.remember(name, WAY, way)
    if (await ctx.store.tasks.memo(name)).get(SET) != way:
        why = await _run(ctx, campaign, "pin-set", pins.set, wanted)
        if why is not None:
            return why
        await ctx.store.tasks.remember(name, SET, way)
        await ctx.store.tasks.remember(name, DUE, None)
    return await _run(ctx, campaign, "pin-check", pins.check, wanted)


async def release(ctx: Context, campaign: Campaign) -> str | None:
    """Release what is pinned, now that no nodes differ any more; why that failed, None when nothing is pinned."""
    rows = await pinned(ctx, campaign.metadata.name)
    if not rows:
        return None
    if not campaign.spec.pins.release:
        await keep(ctx, campaign.metadata.name, "the campaign names no command that releases them; a person has to")
        return None
    why = await _run(ctx, campaign, "pin-release", campaign.spec.pins.release)
    if why is not None:
        await ctx.store.tasks.remember(campaign.metadata.name, DUE, value=True)
        return why
    same = {row.object_id for row in rows}
    # What an earlier campaign left pinned, as it did not get to its last node, is released with it.
    for row in await ctx.store.restorations.open():
        if row.kind == KIND and row.object_id in same:
            await ctx.store.restorations.done(row.id, ctx.clock.now())
    await ctx.sheet.rewrite(ctx.store.restorations)
    await ctx.store.tasks.remember(campaign.metadata.name, SET, None)
    return None


async def release_ended(ctx: Context, campaign: Campaign, inventory: Inventory) -> None:
    """Release what campaigns that are over left pinned, now that this one is over and no nodes of it differ.

    Theirs differ no more either when they are all among its nodes and it brought them the same release, of any version; or
    they did not differ even then, and only the commands failed. What fails again stays on the sheet for the next one.
    """
    for row in await ctx.store.restorations.open():
        owner = await ctx.store.campaigns.get(row.campaign) if row.kind == KIND else None
        if owner is None or owner.state in ACTIVE:
            continue
        other = await ctx.book.campaign(owner.name)
        if not other.spec.pins.release:
            continue  # that is left to a person, or to the campaign that names it
        if (await ctx.store.tasks.memo(owner.name)).get(DUE) or _covers(campaign, other, inventory):
            await release(ctx, other)


def _covers(campaign: Campaign, other: Campaign, inventory: Inventory) -> bool:
    mine, theirs = (one.spec.release.partition("/")[0] if one.spec.release else None for one in (campaign, other))
    scope = [node for node in inventory.nodes if other.spec.scope.includes(node)]
    return mine is not None and mine == theirs and all(campaign.spec.scope.includes(node) for node in scope)


async def pinned(ctx: Context, name: str) -> Sequence[Restoration]:
    """The row of what the campaign has pinned and not released, if it has."""
    return [row for row in await ctx.store.restorations.open(name) if row.kind == KIND]


async def keep(ctx: Context, name: str, why: str) -> None:
    """Say that what is pinned stays so, where something is."""
    if await pinned(ctx, name):
        await _tell(ctx, name, name, "held", f"version pins stay: {why}", None)


async def with_pins(ctx: Context, name: str, rows: Sequence[Restoration]) -> Sequence[Restoration]:
    """These open rows of the campaign with what it has pinned now, whatever it had when they were read."""
    return [*(row for row in rows if row.kind != KIND), *await pinned(ctx, name)]


async def _on_sheet(ctx: Context, name: str, pins: Pins) -> None:
    if await pinned(ctx, name):
        return
    what = "+".join(pins.release or pins.set or pins.check)
    by_hand = [f"# once all nodes run one version: what the settings have as commands.{one}" for one in pins.release]
    by_hand = by_hand or [
        f"# once all nodes run one version: take back what commands.{one} of the settings did" for one in pins.set
    ]
    row = Restoration(
        id=f"{name}/{KIND}/{ctx.clock.now():.0f}",
        campaign=name,
        kind=KIND,
        object_id=what,
        node="",
        found={"set by": ", ".join(pins.set)},
        commands=tuple(by_hand),
        created_at=ctx.clock.now(),
    )
    await ctx.store.restorations.add(row)
    await ctx.sheet.rewrite(ctx.store.restorations)


async def _wanted(ctx: Context, name: str, way: str) -> bool:
    return await ctx.store.campaigns.state(name) in _GOING[way] and await current_freeze(ctx) is None


async def _run(
    ctx: Context, campaign: Campaign, purpose: str, commands: Sequence[str], wanted: Wanted | None = None
) -> str | None:
    """Run them in order; why the first one that fails did."""
    name = campaign.metadata.name
    way = (await ctx.store.tasks.memo(name)).get(WAY, "")
    for command in commands:
        if wanted is not None and not await wanted():
            return STOPPED
        call = Call(
            command=command,
            purpose=purpose,
            operation=f"{name}/{purpose}-{command}/{way}",
            campaign=name,
            release=campaign.spec.release or "",
        )
        code, said = await until_settled(ctx, call, partial(_ended, ctx, call), wanted)
        if code == TEMPORARY and wanted is not None and not await wanted():
            return STOPPED
        if code not in PASSED:
            return f"the {purpose} command {command} ended with {code}: {said}"
    return None


async def _ended(ctx: Context, call: Call, code: int, said: str) -> None:
    if code in PASSED:
        await _tell(ctx, call.campaign, call.command, "done", f"{call.purpose}: {said}", None)
    else:
        await _tell(ctx, call.campaign, call.command, "failed", f"{call.purpose}: exit code {code}: {said}", Code.SYS_PIN)


async def _tell(ctx: Context, name: str, about: str, outcome: str, message: str, code: Code | None) -> None:
    event = Event(
        at=ctx.clock.now(),
        action="campaign.pin",
        campaign=name,
        object_id=about,
        outcome=outcome,
        code=None if code is None else code.value,
        message=message,
    )
    await ctx.store.events.append((event,))
