"""Campaigns that have not started: made, corrected and removed. What has run stays, whatever became of it."""

from __future__ import annotations

from escalator.model.campaign import load_campaign
from escalator.model.codes import Code
from escalator.model.document import parse
from escalator.model.errors import ConflictError, InputError, Problem
from escalator.model.progress import CampaignState, Event
from escalator.model.reading import beside
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.drivers import require_driver
from escalator.upgrade_manager.engine.gates import require_gates, take_back
from escalator.upgrade_manager.engine.leases import require_locks
from escalator.upgrade_manager.engine.named import require_commands

NOT_STARTED = (CampaignState.DRAFT, CampaignState.PLANNED)


async def checked(ctx: Context, document: str | bytes) -> CampaignRow:
    """The row of a new campaign. Raises InputError with all problems, NotFoundError when its release is not there."""
    campaign = await beside(document, lambda text: load_campaign(parse(text)))
    require_driver(ctx, campaign)
    require_commands(ctx, campaign)
    require_gates(ctx, campaign)
    require_locks(ctx.leases, campaign)
    if campaign.spec.release is not None:
        await ctx.book.release(campaign.spec.release)
    return CampaignRow(
        name=campaign.metadata.name,
        document=campaign.model_dump(mode="json", by_alias=True),
        created_at=ctx.clock.now(),
    )


async def edit(ctx: Context, name: str, document: str | bytes) -> CampaignRow:
    """Put another document in the place of a campaign's. It is a draft again: its plans were made of the old one.

    Raises as `checked` does, InputError when the document is another campaign's, and ConflictError when it has started.
    """
    row = await checked(ctx, document)
    if row.name != name:
        problem = Problem("metadata.name", f"{row.name!r} is another campaign than {name!r}")
        raise InputError(Code.CFG_DOCUMENT, "The document is not of this campaign.", problems=[problem])
    await _withdraw(ctx, name, _event(ctx, name, "campaign.edit", "changed"), row)
    return row


async def remove(ctx: Context, name: str) -> None:
    """Forget a campaign and its plans; its name is free again. Raises ConflictError when it has started."""
    await _withdraw(ctx, name, _event(ctx, name, "campaign.remove", "removed"))


async def _withdraw(ctx: Context, name: str, event: Event, instead: CampaignRow | None = None) -> None:
    row = await ctx.store.campaigns.get(name)
    if row is not None and row.state not in NOT_STARTED:
        message = f"Campaign {name} is {row.state.value}: what has started stays as it is."
        raise ConflictError(Code.UPG_STATE, message, remedy="Make another one, with another metadata.name.")
    await take_back(ctx, name, "the document is another one" if instead else "the campaign was removed")
    await ctx.store.campaigns.withdraw(name, NOT_STARTED, (event,), instead)
    ctx.book.forget(name)


def _event(ctx: Context, name: str, action: str, outcome: str) -> Event:
    return Event(at=ctx.clock.now(), action=action, campaign=name, object_id=name, outcome=outcome, by=ctx.by)
