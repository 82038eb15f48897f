"""Hooks of a campaign as a whole: the operator's own commands before its first node and after its last. Their undo is nothing.

Each runs on the server's host and, once it has ended well, not again in the same campaign. Those before the first node stand
between the gates and the nodes; those after the last between its turn and the campaign's end. None begins, and none is run again,
once the campaign is paused or aborted; before the first node, nor while everything is frozen.
"""

from __future__ import annotations

from functools import partial

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.progress import CampaignState, Event
from escalator.system_support.port import Call
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import current_freeze
from escalator.upgrade_manager.engine.named import PASSED, TEMPORARY, keyed, metadata_of, until_settled

RAN = "campaign_hooks"
"""Memo of a campaign: its hooks that have ended well, as `phase/name`."""
BEGUN = "before/"
"""Among them: all of those before the first node have, so that those after the last are due."""
STOPPED = "the campaign was stopped before all of its hooks had run"
"""In place of why a hook failed: none did, and those that are left run when the campaign goes on."""


async def begin(ctx: Context, campaign: Campaign) -> str | None:
    """Run what is to run before the first node and has not ended well yet; why it failed, None when nodes may begin."""
    hooks, name = campaign.spec.hooks, campaign.metadata.name
    if not (hooks.before or hooks.after) or BEGUN in await _ran(ctx, name):
        return None
    why = await _run(ctx, campaign, "before")
    if why is None:
        await ctx.store.tasks.remember(name, RAN, [*await _ran(ctx, name), BEGUN])
    return why


async def end(ctx: Context, campaign: Campaign) -> str | None:
    """Run what is to run after the last node; why it failed. Where no node was to begin, there is nothing to run after it."""
    if not campaign.spec.hooks.after or BEGUN not in await _ran(ctx, campaign.metadata.name):
        return None
    return await _run(ctx, campaign, "after")


async def leave_out(ctx: Context, campaign: Campaign, why: str) -> None:
    """Say that the hooks after the last node are not run, where those before the first have been."""
    names, name = campaign.spec.hooks.after, campaign.metadata.name
    ran = await _ran(ctx, name) if names else []
    for number, command in enumerate(names):
        if BEGUN in ran and f"after/{keyed(names, number)}" not in ran:
            call = Call(command=command, purpose="after", operation=f"{name}/after-{keyed(names, number)}", campaign=name)
            await _tell(ctx, call, "skipped", f"after: not run, as {why}", None)


async def _ran(ctx: Context, name: str) -> list[str]:
    return list((await ctx.store.tasks.memo(name)).get(RAN) or ())


async def _run(ctx: Context, campaign: Campaign, phase: str) -> str | None:
    name, names = campaign.metadata.name, getattr(campaign.spec.hooks, phase)
    said_to, wanted = await metadata_of(ctx, name), partial(_wanted, ctx, name, phase)
    for number, command in enumerate(names):
        passed, key = await _ran(ctx, name), keyed(names, number)
        if f"{phase}/{key}" in passed:
            continue
        if not await wanted():
            return STOPPED
        call = Call(
            command=command,
            purpose=phase,
            operation=f"{name}/{phase}-{key}",
            campaign=name,
            release=campaign.spec.release or "",
            metadata=said_to.get(f"{phase}/{number}", ""),
        )
        code, said = await until_settled(ctx, call, partial(_ended, ctx, call), wanted)
        if code == TEMPORARY and not await wanted():
            return STOPPED
        if code not in PASSED:
            return f"the hook {command}, {phase} all nodes, ended with {code}: {said}"
        await ctx.store.tasks.remember(name, RAN, [*passed, f"{phase}/{key}"])
    return None


async def _wanted(ctx: Context, name: str, phase: str) -> bool:
    """Whether a hook may begin now. What ends a campaign whose nodes are all through is nobody's to freeze."""
    if await ctx.store.campaigns.state(name) is not CampaignState.RUNNING:
        return False
    return phase == "after" or await current_freeze(ctx) is None


async def _ended(ctx: Context, call: Call, code: int, said: str) -> None:
    if code in PASSED:
        await _tell(ctx, call, "done", f"{call.purpose}: {said}", None)
    else:
        await _tell(ctx, call, "failed", f"{call.purpose}: exit code {code}: {said}", Code.SYS_HOOK)


async def _tell(ctx: Context, call: Call, outcome: str, message: str, code: Code | None) -> None:
    event = Event(
        at=ctx.clock.now(),
        action="campaign.hook",
        campaign=call.campaign,
        object_id=call.command,
        outcome=outcome,
        code=None if code is None else code.value,
        message=message,
        data={"operation": call.operation},
    )
    await ctx.store.events.append((event,))
