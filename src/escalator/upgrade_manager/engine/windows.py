"""Maintenance windows at run time: no node's turn begins outside of one, or too late to end in it with its rollback."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from escalator.model.campaign import CampaignSpec
from escalator.model.counting import counted
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner import nights
from escalator.upgrade_manager.planner.lead import waits_s

ALWAYS = (float("-inf"), float("inf"))
SHOWN = 5
"""So many nodes that have no time left are named."""
TINY_S = 0.001
"""What ends with its window ends in it."""


def opening(spec: CampaignSpec, now_s: float) -> tuple[float, float] | None:
    """The window that is open, else the next one: from and until, Unix seconds; None when there is none any more."""
    if not spec.windows and spec.not_before is None and spec.not_after is None:
        return ALWAYS
    return nights.opening(spec, now_s)


def waits_for_window(spec: CampaignSpec, now_s: float) -> str:
    """When the next maintenance window opens, for people; empty while one is open, and where time is."""
    window = opening(spec, now_s)
    return "" if window is None or window[0] <= now_s else nights.local_text(spec, window[0])


def needs_s(plan: Plan, spec: CampaignSpec, inventory: Inventory) -> Mapping[str, float]:
    """Seconds that each node's turn needs of its window: in nine of ten cases, its lead time and its rollback included.

    `inventory` is the one that the plan was made from.
    """
    if not spec.windows and spec.not_after is None:
        return {}
    there, away_s, back_s = inventory.instances_by_node, _away_s(plan), _rollback_s(plan, spec)
    return {node: spec.estimates.p90 * s + back_s + waits_s(spec, there.get(node, ())) for node, s in away_s.items()}


def rest_s(plan: Plan, spec: CampaignSpec, node: str) -> tuple[float, float]:
    """Seconds of its window that the node's turn needs by its plan once all VNF managers have answered, and once it is vacated.

    Its rollback is in both. Nothing is known of a turn that had begun when the plan was made: that has real times in it.
    """
    upgrade = next((u for u in plan.upgrades if u.node == node and u.start_s >= plan.at_s), None)
    if upgrade is None:
        return 0.0, 0.0
    back_s = _rollback_s(plan, spec)
    return _away_s(plan)[node] + back_s, upgrade.end_s - upgrade.start_s + back_s


def _away_s(plan: Plan) -> Mapping[str, float]:
    begins = _begins_s(plan)
    return {u.node: u.end_s - begins[u.node] for u in plan.upgrades}


def _rollback_s(plan: Plan, spec: CampaignSpec) -> float:
    # What had begun when this plan was made has real times in it, which may hold a rest of the campaign.
    slowest = max((u.end_s - u.start_s for u in plan.upgrades if u.start_s >= plan.at_s), default=0.0)
    return slowest if spec.estimates.rollback_s is None else spec.estimates.rollback_s


def short_of_time(plan: Plan, spec: CampaignSpec, inventory: Inventory, now_s: float) -> str:
    """What of a plan that is started now has no time left for it, in a sentence; nothing where all has.

    The plan counts on its first window from its begin, or from when it was made. Who starts later has less of that, and what does
    not fit any more is done in later ones: another night than the plan says, or none. `inventory` is as for `needs_s`.
    """
    window = opening(spec, now_s)
    if window is None or not isfinite(window[1]) or not plan.upgrades:
        return ""
    begin, closes = max(now_s, window[0]), window[1]
    ends = spec.not_after
    if ends is not None and nights.until_worked_s(spec, now_s, plan.totals.makespan_s) is None:
        left_s = sum(closes - opens for opens, closes in nights.openings(spec, now_s))
        return (
            f"The windows until {nights.local_text(spec, ends.timestamp())} hold {left_s / 60:.0f} min, and the plan takes"
            f" {plan.totals.makespan_s / 60:.0f} min of them: not every node will have its turn."
        )
    needs, begins = needs_s(plan, spec, inventory), _begins_s(plan)
    first = min(upgrade.window for upgrade in plan.upgrades)
    tonight = [upgrade.node for upgrade in plan.upgrades if upgrade.window == first]
    zero = min(begins[node] for node in tonight)
    late = [node for node in tonight if begin + begins[node] - zero + needs[node] > closes + TINY_S]
    if not late:
        return ""
    following = nights.opening(spec, closes)
    then = "no other one comes" if following is None else f"the next one opens {nights.local_text(spec, following[0])}"
    many = f"{len(late)} of the {len(tonight)} nodes" if len(late) < len(tonight) else counted(len(tonight), "node")
    return (
        f"The window that is open until {nights.local_text(spec, closes)} is too short by now for {many} that the plan has in its"
        f" first one ({', '.join(late[:SHOWN])}{', …' if len(late) > SHOWN else ''}); {then}."
    )


def _begins_s(plan: Plan) -> Mapping[str, float]:
    """When each node's turn begins by the plan: with its first departure, else with its upgrade."""
    first: dict[str, float] = {}
    for move in plan.moves:
        first[move.origin] = min(first.get(move.origin, move.start_s), move.start_s)
    return {u.node: min(u.start_s, first.get(u.node, u.start_s)) for u in plan.upgrades}
