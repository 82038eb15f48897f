"""The mode `non-smooth`: what finds no place is stopped with its node, for those who accept an outage.

Only where nothing else helps, never against what a VNF declares, and still within the limits of groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory
from escalator.model.plan import Condition, Plan
from escalator.upgrade_manager.planner.actions import Action, Leaves, Stays, Stuck, action_for
from escalator.upgrade_manager.planner.turns import Turn

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Outage:
    """What happens to each instance, and which of them are stopped because nothing else helps."""

    actions: Mapping[str, Action]
    stopped: frozenset[str] = frozenset()


def outages(
    campaign: Campaign, inventory: Inventory, actions: Mapping[str, Action], full: Sequence[str], managed: Collection[str]
) -> Outage:
    """Stop what leaves the nodes in `full`, for which there is no room; nothing changes in a smooth campaign."""
    if campaign.spec.mode == "smooth":
        return Outage(actions)
    here = [instance for node in full for instance in inventory.instances_by_node.get(node, ())]
    roomless = {i.id for i in here if isinstance(actions.get(i.id), Leaves) and i.may("none")}
    smooth = campaign.spec.model_copy(update={"mode": "smooth"})
    pinned = {
        i
        for i, action in actions.items()
        if isinstance(action, Stays) and isinstance(action_for(inventory.instance_by_id[i], smooth, managed=i in managed), Stuck)
    }
    after = {i: Stays("stop-start") if i in roomless else action for i, action in actions.items()}
    return Outage(after, frozenset(roomless | pinned))


def outage_conditions(campaign: Campaign, outage: Outage, turns: Sequence[Turn]) -> tuple[Condition, ...]:
    """What a person has to accept before these turns; nothing where none of them stops anything that it would not have to."""
    here = (guest.instance for turn in turns for guest in turn.stays)
    stopped = sorted((i for i in here if i.id in outage.stopped), key=lambda instance: instance.id)
    return (_condition(stopped, campaign),) if stopped else ()


def outage_of(plan: Plan) -> str | None:
    """Which instances the plan stops that find no place, in words; None for none."""
    return next((said.message for said in plan.conditions if said.code == Code.PLN_OUTAGE.value and not said.ok), None)


def _condition(stopped: Sequence[Instance], campaign: Campaign) -> Condition:
    owners = Counter(i.vnf or f"project {i.project}" for i in stopped)
    said = [f"{owner}: {count}" for owner, count in sorted(owners.items())]
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    longest_s = campaign.spec.estimates.upgrade_s + campaign.spec.estimates.hooks_s
    many = counted(len(stopped), "instance is stopped with its node", "instances are stopped with their nodes")
    message = f"{many}, about {ceil(longest_s / 60)} min each: {'; '.join(said[:SHOWN])}{more}"
    remedy = f"escalator campaign start {campaign.metadata.name} --accept-outage, or make room and plan again"
    return Condition(code=Code.PLN_OUTAGE.value, ok=False, message=message, remedy=remedy)
