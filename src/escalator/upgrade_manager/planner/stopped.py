"""What a campaign's policy stops with its node though nobody asked its VNF: a plan is smooth all the same, and has to say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory
from escalator.model.plan import Condition, Impact, Plan

POLICIES = {
    "stop-start": ("is stopped with its node", "are stopped with their nodes"),
    "in-place": ("stays on its node and is stopped meanwhile", "stay on their nodes and are stopped meanwhile"),
    "leave": (
        "stays on its node and goes down where that reboots",
        "stay on their nodes and go down where these reboot",
    ),
}
"""What each default action does to what runs, for one instance and for many."""
SHOWN = 10


def with_stops(plan: Plan, campaign: Campaign, inventory: Inventory, managed: Collection[str]) -> Plan:
    """The plan with a condition that counts what runs and is stopped by `workloads.default.action` alone; it never fails.

    `managed` holds the ids of instances whose VNF managers are asked: those are none of them, nor is what switches over.
    """
    action = campaign.spec.workloads.default.action
    if action not in POLICIES:
        return plan
    kinds = ("stop-start",) if action == "stop-start" else ("in-place",)
    rows = [row for row in plan.impacts if row.kind in kinds and row.instance not in managed]
    here = [(inventory.instance_by_id[row.instance], row) for row in rows]
    found = [(instance, row) for instance, row in here if instance.vacate != "in-place"]
    if not found:
        return plan
    return plan.model_copy(update={"conditions": (*plan.conditions, _condition(action, found))})


def _condition(action: str, found: Sequence[tuple[Instance, Impact]]) -> Condition:
    owners = Counter(instance.vnf or f"project {instance.project}" for instance, _ in found)
    said = [f"{owner}: {count}" for owner, count in sorted(owners.items())]
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    one, many = POLICIES[action]
    count = counted(len(found), f"running instance {one}", f"running instances {many}")
    longest = round(max(row.end_s - row.start_s for _, row in found) / 60)
    could = sum(instance.migration != "none" for instance, _ in found)
    why = f"up to {longest} min each, by policy alone (workloads.default.action: {action})"
    message = f"{count}, {why}: {'; '.join(said[:SHOWN])}{more}; {could or 'none'} of them could move"
    live = f"with workloads.default.action: live {'they' if could == len(found) else 'these'} move"
    rest = "" if could == len(found) else ", and mode: non-smooth stops the others alone, once that is accepted"
    remedy = f"agree with their owners; or {live}{rest}" if could else "agree with their owners before the start"
    return Condition(code=Code.PLN_STOPPED.value, ok=True, message=message, remedy=remedy)
