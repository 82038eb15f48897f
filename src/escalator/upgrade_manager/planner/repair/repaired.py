"""The entry: a plan for the rest of a campaign, mended from the one so far."""

from __future__ import annotations

from collections.abc import Collection

from escalator.model.campaign import Campaign
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.model.release import Impact
from escalator.upgrade_manager.planner.interruption import expected
from escalator.upgrade_manager.planner.progress import Progress
from escalator.upgrade_manager.planner.repair.clock import shift_s
from escalator.upgrade_manager.planner.repair.given import CannotRepairError, given
from escalator.upgrade_manager.planner.repair.mending import Mending
from escalator.upgrade_manager.planner.repair.nights import Nights
from escalator.upgrade_manager.planner.repair.report import plan_of
from escalator.upgrade_manager.planner.repair.rows import rest_of
from escalator.upgrade_manager.planner.rows import windows_of
from escalator.upgrade_manager.planner.uncollected import uncollected

LATER = 0.1
"""Share of the time left by which the repaired plan may end later than the plan so far."""


def repaired(
    campaign: Campaign,
    inventory: Inventory,
    managed: Collection[str],
    now_s: float | None,
    progress: Progress,
    impact: Impact | None = None,
) -> Plan | None:
    """The plan so far with what was lost put right, for arguments as of `make_plan`; None where that is for the search.

    It is made quickly, and not proved: it has to be verified before it is used.
    """
    with uncollected():
        try:
            there = given(campaign, inventory, managed, now_s, progress, impact)
            rest = rest_of(there)
            late_s = shift_s(there, rest)
            nights = Nights(there, rest, late_s)
            nights.put_forward()
            mended, ends = Mending(there, rest, nights).run()
        except CannotRepairError:
            return None
        nights.put_back()
        plan = plan_of(there, rest, late_s, mended, ends)
        so_far = there.parent.totals.makespan_s
        if plan.totals.makespan_s > progress.at_s + (1.0 + LATER) * max(0.0, so_far - progress.at_s):
            return None
        known = there.inventory.instance_by_id
        if plan.closer and {row.group for row in plan.closer} & {name for i in mended.goes for name in known[i].groups}:
            return None  # the search may find places that keep them apart
        minding = any(known[name].max_interruption_s is not None for name in there.noted)
        borne = expected(campaign.spec, there.inventory, plan.moves) if minding else ()
        windows = windows_of(campaign.spec, plan.upgrades, now_s)
        return plan.model_copy(update={"impact": impact, "interruptions": borne, "windows": windows})
