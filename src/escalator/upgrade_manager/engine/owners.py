"""VNF managers that do not answer at the start of a campaign, or when a maintenance window opens.

A notice that cannot be delivered is not silence. It is better known before a node is touched than in the middle of a night.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConditionsError
from escalator.model.inventory import Inventory
from escalator.model.notice import NoticeState
from escalator.model.plan import Plan
from escalator.model.progress import CampaignState, Event, NodeTask
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.reach import SHOWN, concerned, reached, remedy, said
from escalator.vim_interface.port import Reachability

RECENT = 500
"""Newest notices that are looked at for who was not reached: a campaign pauses at the first of them."""

_AWAY = "owners away"
"""Memo of a campaign: the VNF managers for which it paused before any node of a window had begun."""


async def unreached_verbs(ctx: Context, row: CampaignRow, tasks: Sequence[NodeTask]) -> list[str]:
    """What tells whether those whom a paused campaign could not reach are back."""
    if (row.state, row.code) != (CampaignState.PAUSED, Code.UPG_UNDELIVERABLE.value):
        return []
    waiting = {task.node for task in tasks if task.code == Code.UPG_UNDELIVERABLE.value}
    latest: dict[tuple[str, str], NoticeState] = {}
    for notice in await ctx.store.notices.list(row.name, RECENT):
        if notice.node in waiting and notice.reply_token is not None:
            latest.setdefault((notice.vnfm, notice.node), notice.state)
    unreached = sorted({vnfm for (vnfm, _), state in latest.items() if state is NoticeState.UNDELIVERABLE})
    if not waiting:
        # No node had begun: it was seen before the first notice.
        unreached = list((await ctx.store.tasks.memo(row.name)).get(_AWAY) or ())
    return [f"escalator vnfm test {vnfm}" for vnfm in unreached[:SHOWN]]


async def require_owners(ctx: Context, campaign: Campaign, plan: Plan, inventory: Inventory) -> None:
    """Raise ConditionsError when policy pauses for notices that cannot be delivered, and some could not be now."""
    await _note_orchestrators(ctx, campaign.metadata.name)
    bad = [one for one in await reached(ctx.vim, concerned(plan, inventory)) if not one.ok]
    if not bad:
        return
    if campaign.spec.workloads.notify.on_undeliverable == "pause":
        message = f"{counted(len(bad), 'VNF manager concerned does', 'VNF managers concerned do')} not answer: {said(bad)}."
        raise ConditionsError(Code.UPG_UNDELIVERABLE, message, remedy=remedy(campaign))
    await _write_down(ctx, campaign.metadata.name, bad)


async def away_tonight(ctx: Context, campaign: Campaign, plan: Plan, inventory: Inventory, waiting: Collection[str]) -> str:
    """Why a window that opens has to wait for a person; nothing when it need not.

    Asked are those who speak for instances on the nodes of the window: of all that wait, those whose turn comes first.
    """
    await _note_orchestrators(ctx, campaign.metadata.name)
    upgrades = [u for u in plan.upgrades if u.node in waiting]
    first = min((u.window for u in upgrades), default=0)
    tonight = concerned(plan, inventory, {u.node for u in upgrades if u.window == first})
    bad = [one for one in await reached(ctx.vim, tonight) if not one.ok]
    if not bad:
        return ""
    await _write_down(ctx, campaign.metadata.name, bad)
    if campaign.spec.workloads.notify.on_undeliverable != "pause":
        return ""
    await ctx.store.tasks.remember(campaign.metadata.name, _AWAY, [one.vnfm for one in bad])
    many = counted(len(bad), "VNF manager concerned does", "VNF managers concerned do")
    return f"nodes may begin now, and {many} not answer: {said(bad)}"


async def _note_orchestrators(ctx: Context, name: str) -> None:
    """Write down which orchestrators do not answer: they are told later, and nothing waits for them."""
    names = await ctx.vim.orchestrators.names()
    bad = [one for one in await ctx.vim.reach(names) if not one.ok] if names else []
    if bad:
        await _write_down(ctx, name, bad, "orchestrator.unreachable")


async def _write_down(ctx: Context, name: str, bad: Sequence[Reachability], action: str = "vnfm.unreachable") -> None:
    now = ctx.clock.now()
    events = [Event(at=now, action=action, campaign=name, object_id=one.vnfm, code=one.code, message=one.message) for one in bad]
    await ctx.store.events.append(events)
