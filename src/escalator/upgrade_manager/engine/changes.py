"""A campaign moves to another state, or something is said about it: each with its line in the history."""

from __future__ import annotations

from collections.abc import Mapping

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
GOING_ON = (CampaignState.RUNNING, CampaignState.ROLLING_BACK, CampaignState.RESTORING)
_WHY_BACK = "why_back"
"""Memo of a campaign: why it goes back, in the words of whoever asked for that."""


async def change(
    ctx: Context,
    name: str,
    expected: tuple[CampaignState, ...],
    target: CampaignState,
    code: Code | None,
    reason: str,
) -> None:
    """Move the campaign to another state, with its line in the history."""
    word = code.value if code is not None else ""
    await _move(ctx, expected, _line(ctx, name, target, word, reason), target, reason)


async def go_on(ctx: Context, name: str, expected: CampaignState, target: CampaignState) -> None:
    """Move the campaign on after a rest: why it rested is over, and why it goes back is shown again."""
    await _move(ctx, (expected,), _line(ctx, name, target, "", ""), target, await usual_reason(ctx, name, target))


def _line(ctx: Context, name: str, target: CampaignState, code: str, message: str) -> Event:
    return Event(
        at=ctx.clock.now(),
        action=f"campaign.{target.value}",
        campaign=name,
        object_id=name,
        outcome=target.value,
        code=code or None,
        message=message,
        by=ctx.by,
    )


async def _move(
    ctx: Context,
    expected: tuple[CampaignState, ...],
    line: Event,
    target: CampaignState,
    reason: str,
    memo: Mapping[str, object] | None = None,
) -> None:
    name, code = str(line.campaign), line.code or ""
    ended = line.at if target in ENDS else None
    await ctx.store.campaigns.change(name, expected, (line,), memo, state=target, code=code, reason=reason, ended_at=ended)
    ctx.signals.wake(name)
    ctx.signals.wake_doors(name)


async def turn_back(ctx: Context, name: str, expected: CampaignState, why: str, memo: Mapping[str, object]) -> None:
    """Begin the way back as a person asks for it, with what is remembered of that: a request that is refused leaves nothing."""
    back = CampaignState.ROLLING_BACK
    await _move(ctx, (expected,), _line(ctx, name, back, "", why), back, why, {**memo, _WHY_BACK: why})


async def keep_why_back(ctx: Context, name: str, why: str) -> None:
    """Remember why a campaign goes back: what it waits for meanwhile, and why it pauses, stands in its place for a time."""
    await ctx.store.tasks.remember(name, _WHY_BACK, why)


async def usual_reason(ctx: Context, name: str, state: CampaignState) -> str:
    """What is shown of a campaign that goes on and waits for nothing: why it goes back; nothing on the way there."""
    if state not in (CampaignState.ROLLING_BACK, CampaignState.RESTORING):
        return ""
    return str((await ctx.store.tasks.memo(name)).get(_WHY_BACK) or "")


async def show_wait(ctx: Context, name: str, what: str, why: str = "", code: Code | None = None) -> None:
    """Let whoever looks at a campaign that goes on see what it waits for; without `why`, that it no longer waits for that.

    Other reasons stay, unless there is a `code`: what people have to know of stands in front of them.
    """
    row = await ctx.store.campaigns.get(name)
    if row is None or row.state not in GOING_ON:
        return
    own, usual = f"{WAITS}{what}", await usual_reason(ctx, name, row.state)
    shown = f"{own} {why}" if why else usual
    replaced = code is not None or row.reason.startswith(WAITS if why else own) or row.reason in ("", usual)
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
