"""What a campaign needs on the manager's own host: seen in its plan, at its start, and before each node begins.

On the way back it is looked for before each node, too; a restore, the last resort, waits for nothing.
No node is to blame for a program or a key that is not there: none begins its turn, and none is left out for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, EscalatorError
from escalator.model.inventory import Inventory, Role
from escalator.model.plan import Condition, Plan
from escalator.model.progress import CampaignState, NodeTask
from escalator.model.release import spares_instances
from escalator.model.roles import CLUSTERED
from escalator.upgrade_manager.engine.changes import change
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.named import commands_of


def lacking(ctx: Context, campaign: Campaign, roles: Collection[Role], *, touches: bool = True) -> tuple[Condition, ...]:
    """What is not there for nodes of these roles, each with its remedy; `touches` says whether the release takes nodes away."""
    found: dict[tuple[str, str], Condition] = {}
    for lack in _lacks(ctx, campaign, roles, touches=touches):
        cause = getattr(lack.__cause__, "strerror", None)
        message = lack.message.rstrip(".") + (f" ({cause})" if cause else "")
        found.setdefault(
            (lack.code.value, message), Condition(code=lack.code.value, ok=False, message=message, remedy=lack.remedy.rstrip("."))
        )
    return tuple(found.values())


def with_lacks(ctx: Context, campaign: Campaign, inventory: Inventory, plan: Plan) -> Plan:
    """The plan, not smooth when something is not there."""
    found = _for_plan(ctx, campaign, inventory, plan)
    if not found:
        return plan
    return plan.model_copy(update={"conditions": (*plan.conditions, *found), "smooth": False}).sealed(plan.id, plan.parent)


def require_at_hand(ctx: Context, campaign: Campaign, inventory: Inventory, plan: Plan) -> None:
    """Raise ConditionsError when something is not there now, whatever the plan saw."""
    found = _for_plan(ctx, campaign, inventory, plan)
    if found:
        remedy = "; ".join(condition.remedy for condition in found)
        raise ConditionsError(Code(found[0].code), f"{'; '.join(c.message for c in found)}.", remedy=remedy)


async def stopped(
    ctx: Context,
    campaign: Campaign,
    plan_id: str,
    ready: Sequence[NodeTask],
    change_of: tuple[CampaignState, CampaignState] = (CampaignState.RUNNING, CampaignState.SUSPENDED),
) -> bool:
    """Whether the campaign is stopped, before these nodes begin, as something is not there any more.

    `change_of`: the state in which it goes on, and the one in which it waits for a person.
    """
    plan, inventory = await ctx.book.plan(plan_id)
    known = inventory.node_by_id
    roles = {role for task in ready if task.node in known for role in known[task.node].roles}
    found = lacking(ctx, campaign, roles, touches=not spares_instances(plan.impact))
    if not found:
        return False
    reason = "; ".join(f"{condition.message}: {condition.remedy}" for condition in found)
    name = campaign.metadata.name
    await change(ctx, name, (change_of[0],), change_of[1], Code(found[0].code), reason)
    return True


def _for_plan(ctx: Context, campaign: Campaign, inventory: Inventory, plan: Plan) -> tuple[Condition, ...]:
    known = inventory.node_by_id
    roles = {role for node in plan.upgrade_of if node in known for role in known[node].roles}
    return lacking(ctx, campaign, roles, touches=not spares_instances(plan.impact))


def _lacks(ctx: Context, campaign: Campaign, roles: Collection[Role], *, touches: bool) -> Iterator[EscalatorError]:
    system = ctx.systems.get(campaign.spec.node.driver)
    if system is not None:
        yield from system.lacks()
    names = [name for _, name in commands_of(campaign)]
    if touches:
        names += [name for name in (ctx.out_of_band.check, ctx.out_of_band.power_cycle) if name is not None]
    for name in names:
        lack = ctx.commands.lack(name)
        if lack is not None:
            yield lack
    for role in CLUSTERED if touches else ():
        if role in roles:
            yield from ctx.clusters.lacks(role)
