"""Plans that are stored: made, and then checked by what shares no code with the maker."""

from __future__ import annotations

from collections.abc import Collection

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import PermanentError
from escalator.model.inventory import Inventory
from escalator.model.plan import Condition, Plan
from escalator.upgrade_manager.planner.impact import NOTHING, Brings
from escalator.upgrade_manager.planner.kinds import ordered
from escalator.upgrade_manager.planner.make import BEGINNING, make_plan
from escalator.upgrade_manager.planner.progress import Progress
from escalator.upgrade_manager.planner.repair.repaired import repaired
from escalator.upgrade_manager.planner.returning import with_returns
from escalator.upgrade_manager.planner.stopped import with_stops
from escalator.upgrade_manager.planner.uncollected import uncollected
from escalator.upgrade_manager.planner.verify.check import verify

TOLD = 5
DEFECTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a defect of the repair would raise. Nodes wait for the plan, and the search can make one without it."""


def verified_plan(
    campaign: Campaign,
    inventory: Inventory,
    managed: Collection[str],
    now_s: float | None,
    progress: Progress = BEGINNING,
    brings: Brings = NOTHING,
) -> Plan:
    """As `make_plan`, with what a rollback could not bring back from the layers that the release `brings`.

    In the middle of a campaign the plan so far is repaired where that is sound and ends in time.

    Raises PermanentError (`PLN_VIOLATION`) when the verifier finds the plan to break a rule.
    """
    campaign = ordered(campaign, brings)
    defect = ""
    try:
        mended = repaired(campaign, inventory, managed, now_s, progress, brings.impact)
    except DEFECTS as error:
        mended, defect = None, f"the plan so far could not be repaired ({type(error).__name__}); this one was searched for"
    if mended is not None:
        plan = _told(mended, campaign, inventory, managed, brings)
        with uncollected():
            if not verify(campaign, inventory, plan, managed, now_s, brings.impact):
                return plan
    made = make_plan(campaign, inventory, managed, now_s, progress, brings.impact)
    if defect:
        condition = Condition(
            code=Code.PLN_REPAIRED.value, ok=True, message=defect, remedy="This is a defect of the planner: report it."
        )
        made = made.model_copy(update={"conditions": (*made.conditions, condition)})
    plan = _told(made, campaign, inventory, managed, brings)
    with uncollected():
        found = verify(campaign, inventory, plan, managed, now_s, brings.impact)
    if found:
        said = "; ".join(f"{violation.code.value} {violation.message}" for violation in found[:TOLD])
        message = f"The plan breaks {counted(len(found), 'rule')} and is not stored: {said}"
        raise PermanentError(Code.PLN_VIOLATION, message, remedy="This is a defect of the planner: report it with the inventory.")
    return plan


def _told(plan: Plan, campaign: Campaign, inventory: Inventory, managed: Collection[str], brings: Brings) -> Plan:
    """The plan with what is said of it whoever made it."""
    return with_stops(with_returns(plan, campaign, inventory, managed, brings.layers), campaign, inventory, managed)
