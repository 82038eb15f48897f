"""A campaign moves to another state, or something is said about it: each with its line in the history."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.progress import CampaignState, Event
from escalator.upgrade_manager.engine.context import Context

ENDS = (CampaignState.COMPLETED, CampaignState.ABORTED, CampaignState.ROLLED_BACK, CampaignState.RESTORED)
"""States that end a workflow of a campaign."""


async def change(
    ctx: Context,
    name: str,
    expected: tuple[CampaignState, ...],
    target: CampaignState,
    code: Code | None,
    reason: str,
) -> None:
    """Move the campaign to another state, with its line in the history."""
    now = ctx.clock.now()
    word = code.value if code is not None else ""
    event = Event(
        at=now,
        action=f"campaign.{target.value}",
        campaign=name,
        object_id=name,
        outcome=target.value,
        code=word or None,
        message=reason,
    )
    ended = now if target in ENDS else None
    await ctx.store.campaigns.change(name, expected, (event,), state=target, code=word, reason=reason, ended_at=ended)
    ctx.signals.wake(name)


async def write(ctx: Context, name: str, action: str, message: str, *, code: Code, node: str | None) -> None:
    """Write a line about the campaign, or about one of its nodes, into the history."""
    about = node or name
    event = Event(at=ctx.clock.now(), action=action, campaign=name, node=node, object_id=about, code=code.value, message=message)
    await ctx.store.events.append((event,))
