"""The VNF managers that a campaign concerns as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.inventory import Instance
from escalator.model.notice import NoticeType
from escalator.model.plan import Plan
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.told import windows
from escalator.vim_interface.port import Announcement


async def tell_concerned(ctx: Context, name: str, kind: NoticeType, about: str = "", *, asked: Sequence[str] = ()) -> None:
    """Tell each of them once, and those that were asked for room: they may scale out when it is over.

    `about` tells the way there and the way back apart.
    """
    _, instances = await _concerned(ctx, name)
    vnfms = sorted({*(await ctx.vim.owners(instances)).values(), *asked})
    if vnfms:
        await ctx.vim.tell(kind, name, vnfms=vnfms, key=f"{name}/{kind.value}{about}")


async def tell_planned(ctx: Context, name: str) -> None:
    """Tell each of them once that the campaign begins: which of its instances it touches, how, and when first."""
    plan, instances = await _concerned(ctx, name)
    row = await ctx.store.campaigns.get(name)
    if plan is None or row is None:
        return
    spec = (await ctx.book.campaign(name)).spec
    began = row.started_at if row.started_at is not None else ctx.clock.now()
    opened = tuple(windows(plan, spec, began))
    turns = {turn.node: turn.start for window in opened for turn in window.nodes}
    # What stays is impacted, whatever else happens to it on the way.
    planned = {move.instance: move.kind for move in plan.moves} | {impact.instance: impact.kind for impact in plan.impacts}
    announcement = Announcement(
        campaign=name,
        key=f"{name}/{NoticeType.MAINTENANCE_PLANNED.value}",
        instances=instances,
        planned=planned,
        first_at={i.id: turns[i.node] for i in instances if i.node in turns},
        windows=opened,
        release=spec.release,
    )
    await ctx.vim.announced.tell(announcement)


async def _concerned(ctx: Context, name: str) -> tuple[Plan | None, tuple[Instance, ...]]:
    """The campaign's plan, and the instances that it moves or impacts."""
    row = await ctx.store.campaigns.get(name)
    if row is None or row.plan is None:
        return None, ()
    plan, inventory = await ctx.book.plan(row.plan)
    touched = {m.instance for m in plan.moves} | {i.instance for i in plan.impacts}
    campaign = await ctx.book.campaign(name)
    if campaign.spec.workloads.scale_in == "ask":
        # Who is asked for room has heard of the campaign before.
        scope = {node.id for node in inventory.nodes if campaign.spec.scope.includes(node)}
        touched |= {i.id for i in inventory.instances if i.node in scope}
    return plan, tuple(i for i in inventory.instances if i.id in touched)
