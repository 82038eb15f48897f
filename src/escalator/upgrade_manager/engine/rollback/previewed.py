"""What a plan for the way back says beside what the planner found: whom it cannot ask, what is lacking, when it begins."""

from __future__ import annotations

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.plan import Condition, Plan
from escalator.upgrade_manager.engine import reach
from escalator.upgrade_manager.engine.at_hand import with_lacks
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.rollback.planning import WayBack
from escalator.upgrade_manager.engine.windows import waits_for_window


async def noted(ctx: Context, campaign: Campaign, made: WayBack) -> Plan:
    """The plan with these conditions. `campaign` is as it goes back."""
    plan = with_lacks(ctx, campaign, made.inventory, made.plan)
    found = [*plan.conditions]
    concerned = reach.concerned(plan, made.inventory)
    if await ctx.vim.owners(concerned):
        said = reach.condition(await reach.reached(ctx.vim, concerned), campaign)
        # The campaign's document is not edited any more.
        found.append(said.model_copy(update={"remedy": "see them back first: escalator vnfm test NAME"}) if said.remedy else said)
    opens = waits_for_window(campaign.spec, ctx.clock.now())
    if opens:
        remedy = f"escalator campaign rollback {campaign.metadata.name} --outside-windows does not wait for it"
        message = f"it begins when its window opens: {opens}"
        found.append(Condition(code=Code.PLN_WINDOW.value, ok=True, message=message, remedy=remedy))
    return plan.model_copy(update={"conditions": tuple(found)}).sealed(plan.id, plan.parent)
