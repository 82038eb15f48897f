"""A campaign moves to another state, or something is said about it: each with its line in the history."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.progress import CampaignState, Event
from escalator.upgrade_manager.engine.context import Context

ENDS = (CampaignState.COMPLETED, CampaignState.ABORTED, CampaignState.ROLLED_BACK, CampaignState.RESTORED)
"""States that end a workflow of a campaign."""
WAITS = "waits "
FOR_ROOM = "for room:"
FOR_PEOPLE = "for people:"
FOR_SOAK = "until"
"""Followed by a time: what waits for that goes on by itself."""
_GOING_ON = (CampaignState.RUNNING, CampaignState.ROLLING_BACK, CampaignState.RESTORING)


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
    ctx.signals.wake_doors(name)


async def show_wait(ctx: Context, name: str, what: str, why: str = "", code: Code | None = None) -> None:
    """Let whoever looks at a campaign that goes on see what it waits for; without `why`, that it no longer waits for that.

    Other reasons stay, unless there is a `code`: what people have to know of stands in front of them.
    """
    row = await ctx.store.campaigns.get(name)
    if row is None or row.state not in _GOING_ON:
        return
    own = f"{WAITS}{what}"
    shown = f"{own} {why}" if why else ""
    replaced = code is not None or row.reason.startswith(WAITS if why else own) or not row.reason
    if replaced and row.reason != shown:
        await ctx.store.campaigns.change(name, (row.state,), code="" if code is None else code.value, reason=shown)


async def keep_shown(ctx: Context, name: str, announced: set[str], what: str, why: str, code: Code | None = None) -> None:
    """As `show_wait` at every look of a drive: that it is over is stored once, as `announced` remembers.

    An earlier drive, or another board, may have shown it.
    """
    if why:
        announced.discard(what)
        await show_wait(ctx, name, what, why, code)
    elif what not in announced:
        announced.add(what)
        await show_wait(ctx, name, what)


async def write(ctx: Context, name: str, action: str, message: str, *, code: Code, node: str | None) -> None:
    """Write a line about the campaign, or about one of its nodes, into the history."""
    about = node or name
    event = Event(at=ctx.clock.now(), action=action, campaign=name, node=node, object_id=about, code=code.value, message=message)
    await ctx.store.events.append((event,))
