"""Which way back of its campaign it is: one that ended early can be followed by another."""

from __future__ import annotations

from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.context import Context

NUMBER = "number_back"
"""Memo of a campaign: how many ways back it had before this one."""


async def number_of(ctx: Context, name: str) -> int:
    """How many ways back the campaign had before the one that goes on, or was the last."""
    return int((await ctx.store.tasks.memo(name)).get(NUMBER) or 0)


async def next_number(ctx: Context, name: str) -> int:
    """How many ways back the campaign had before one that begins now."""
    begun = await ctx.store.events.read(campaign=name, action=f"campaign.{CampaignState.ROLLING_BACK.value}", limit=1)
    return await number_of(ctx, name) + bool(begun)
