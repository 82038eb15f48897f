"""The VNF managers that a campaign concerns as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.notice import NoticeType
from escalator.upgrade_manager.engine.context import Context


async def tell_concerned(ctx: Context, name: str, kind: NoticeType, about: str = "", *, asked: Sequence[str] = ()) -> None:
    """Tell each of them once, and those that were asked for room: they may scale out when it is over.

    `about` tells the way there and the way back apart.
    """
    vnfms = sorted({*await _concerned(ctx, name), *asked})
    if vnfms:
        await ctx.vim.tell(kind, name, vnfms=vnfms, key=f"{name}/{kind.value}{about}")


async def _concerned(ctx: Context, name: str) -> list[str]:
    """VNF managers with an instance that the campaign's plan moves or impacts."""
    row = await ctx.store.campaigns.get(name)
    if row is None or row.plan is None:
        return []
    plan, inventory = await ctx.book.plan(row.plan)
    touched = {m.instance for m in plan.moves} | {i.instance for i in plan.impacts}
    campaign = await ctx.book.campaign(name)
    if campaign.spec.workloads.scale_in == "ask":
        # Who is asked for room has heard of the campaign before.
        scope = {node.id for node in inventory.nodes if campaign.spec.scope.includes(node)}
        touched |= {i.id for i in inventory.instances if i.node in scope}
    instances = [i for i in inventory.instances if i.id in touched]
    return sorted(set((await ctx.vim.owners(instances)).values()))
