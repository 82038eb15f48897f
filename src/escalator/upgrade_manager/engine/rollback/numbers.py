"""Which way back of its campaign it is: one that ended early can be followed by another."""

from __future__ import annotations

from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.context import Context

_NUMBER = "number_back"
"""Memo of a campaign: how many ways back it had before this one."""


async def number_of(ctx: Context, name: str) -> int:
    """How many ways back the campaign had before the one that goes on, or was the last."""
    return int((await ctx.store.tasks.memo(name)).get(_NUMBER) or 0)


async def another(ctx: Context, name: str) -> None:
    """Where the campaign had a way back, what begins now is another one."""
    if await ctx.store.events.read(campaign=name, action=f"campaign.{CampaignState.ROLLING_BACK.value}", limit=1):
        await ctx.store.tasks.remember(name, _NUMBER, await number_of(ctx, name) + 1)
