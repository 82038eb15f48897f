"""For whom VNF managers speak now, and whether a campaign needs one of them."""

from __future__ import annotations

from dataclasses import dataclass

from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConflictError, EscalatorError
from escalator.model.notice import NoticeState, Vnfm
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.states import ACTIVE, ENDED

OPEN = (NoticeState.PENDING, NoticeState.DELIVERED)
RECENT = 2000
"""Newest notices that are looked at for answers that are waited for."""


@dataclass(frozen=True, slots=True)
class SpokenFor:
    """What a registration is about in the cloud as it is now."""

    instances: int | None
    """How many instances it speaks for; null when the cloud does not answer."""
    unknown: tuple[str, ...] = ()
    """What it names and nothing in the cloud has, such as `vnf amf-9`: a slip of the pen, or something that is still to come."""


async def spoken_for(ctx: Context, vnfm: Vnfm) -> SpokenFor:
    """Look at the cloud; what another registration names more closely is that one's."""
    try:
        instances = (await observed.inventory(ctx, Migration())).instances
    except EscalatorError:
        return SpokenFor(None)
    count = sum(owner == vnfm.name for owner in (await ctx.vim.owners(instances)).values())
    spec = vnfm.spec
    there = (
        ("project", spec.projects, {i.project for i in instances}),
        ("vnf", spec.vnfs, {i.vnf for i in instances}),
        ("instance", spec.instances, {i.id for i in instances}),
    )
    return SpokenFor(count, tuple(f"{word} {one}" for word, named, known in there for one in named if one not in known))


async def require_unneeded(ctx: Context, name: str) -> None:
    """Raise ConflictError while a campaign waits for the VNF manager's answer, or has still to ask it about a node."""
    for row in await ctx.store.campaigns.list():
        if row.state not in ACTIVE:
            continue
        notices = await ctx.store.notices.list(row.name, RECENT)
        waits = sum(n.vnfm == name and n.reply_token is not None and n.state in OPEN for n in notices)
        _, inventory = await ctx.book.plan(row.plan or "")
        left = [task.node for task in await ctx.store.tasks.list(row.name, ladders=False) if task.state not in ENDED]
        there = {node: inventory.instances_by_node.get(node, ()) for node in left}
        owners = await ctx.vim.owners([instance for here in there.values() for instance in here])
        nodes = sum(any(owners.get(instance.id) == name for instance in here) for here in there.values())
        if not waits and not nodes:
            continue
        needs = [f"waits for {waits} of its answers"] if waits else []
        needs += [f"has still to ask it about {counted(nodes, 'node')}"] if nodes else []
        message = f"Campaign {row.name} {' and '.join(needs)}: without {name} nobody is asked about those instances."
        remedy = (
            f"Let it end, or escalator campaign abort {row.name}; to change how it is reached: escalator vnfm set {name};"
            f" to forget it all the same: escalator vnfm remove {name} --force"
        )
        raise ConflictError(Code.UPG_STATE, message, remedy=remedy)
