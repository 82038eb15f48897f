"""Maintenance windows at run time: no node's turn begins outside of one, or too late to end in it with its rollback."""

from __future__ import annotations

from collections.abc import Mapping

from escalator.model.campaign import CampaignSpec
from escalator.model.codes import Code
from escalator.model.errors import ConditionsError
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner import nights
from escalator.upgrade_manager.planner.lead import waits_s

ALWAYS = (float("-inf"), float("inf"))


def opening(spec: CampaignSpec, now_s: float) -> tuple[float, float] | None:
    """The window that is open, else the next one: from and until, Unix seconds; None when there is none any more."""
    if not spec.windows and spec.not_before is None and spec.not_after is None:
        return ALWAYS
    return nights.opening(spec, now_s)


def require_window(spec: CampaignSpec, now_s: float) -> None:
    """Raise ConditionsError (`PLN_WINDOW`) when the campaign's time is over before it begins."""
    if opening(spec, now_s) is not None:
        return
    remedy = "Give later dates: escalator campaign edit, then plan again."
    if spec.not_after is not None and spec.not_after.timestamp() <= now_s:
        message = f"not_after ({spec.not_after.isoformat()}) has passed."
    else:
        message = "No maintenance window opens before not_after."
    raise ConditionsError(Code.PLN_WINDOW, message, remedy=remedy)


def needs_s(plan: Plan, spec: CampaignSpec, inventory: Inventory) -> Mapping[str, float]:
    """Seconds that each node's turn needs of its window: in nine of ten cases, its lead time and its rollback included.

    `inventory` is the one that the plan was made from.
    """
    if not spec.windows and spec.not_after is None:
        return {}
    first: dict[str, float] = {}
    for move in plan.moves:
        first[move.origin] = min(first.get(move.origin, move.start_s), move.start_s)
    # What had begun when this plan was made has real times in it, which may hold a rest of the campaign.
    slowest = max((u.end_s - u.start_s for u in plan.upgrades if u.start_s >= plan.at_s), default=0.0)
    rollback_s = slowest if spec.estimates.rollback_s is None else spec.estimates.rollback_s
    away = {u.node: u.end_s - min(u.start_s, first.get(u.node, u.start_s)) for u in plan.upgrades}
    there = inventory.instances_by_node
    return {
        node: spec.estimates.p90 * seconds + rollback_s + waits_s(spec, there.get(node, ())) for node, seconds in away.items()
    }
