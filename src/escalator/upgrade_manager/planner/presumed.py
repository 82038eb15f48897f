"""VNF managers where no server is that would know them: who is presumed to have one, in a plan of files as in a rehearsal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory
from escalator.model.plan import Condition, Plan
from escalator.upgrade_manager.planner.actions import Stuck, action_for

SHOWN = 5


def presumed_projects(inventory: Inventory) -> Sequence[str]:
    """Projects that have a VNF manager by the look of it: their instances belong to a VNF, or switch over."""
    return sorted({i.project for i in inventory.instances if i.vnf is not None or i.vacate == "in-place"})


def presumed_managed(inventory: Inventory) -> frozenset[str]:
    """Instances whose VNF managers are presumed to be asked.

    What could only be stopped is none of them, unless its VNF declares that it may stay: a word that nobody has given yet lets
    nothing be stopped.
    """
    projects = set(presumed_projects(inventory))
    here = (i for i in inventory.instances if i.project in projects)
    return frozenset(i.id for i in here if i.migration != "none" or i.groups or i.vacate == "in-place" or _may_stay(i))


def _may_stay(instance: Instance) -> bool:
    return instance.allowed is not None and instance.may("none")


def unconsented(campaign: Campaign, inventory: Inventory) -> Sequence[str]:
    """Why the plan of files cannot go on, though a VNF manager that says yes to everything would let it; empty for nothing."""
    managed = presumed_managed(inventory)
    nodes = {node.id for node in inventory.nodes if campaign.spec.scope.includes(node)}
    pinned = [i for i in inventory.instances if i.migration == "none" and i.id not in managed and i.node in nodes]
    actions = (action_for(instance, campaign.spec, managed=False) for instance in pinned if instance.blocked is None)
    return [action.reason for action in actions if isinstance(action, Stuck)]


def with_presumed(plan: Plan, inventory: Inventory) -> Plan:
    """The plan with who was presumed to have a VNF manager, for it was made without a server; it never fails."""
    if not inventory.instances:
        return plan
    return plan.model_copy(update={"conditions": (*plan.conditions, _condition(inventory))})


def _condition(inventory: Inventory) -> Condition:
    managed, everybody = presumed_managed(inventory), len(inventory.instances)
    projects = Counter(i.project for i in inventory.instances if i.id in managed)
    named = ", ".join(f"{count} of project {project}" for project, count in sorted(projects.items())[:SHOWN])
    more = f", and of {len(projects) - SHOWN} more" if len(projects) > SHOWN else ""
    rest = everybody - len(managed)
    asked = f"presumed to be asked, as in a rehearsal: {named}{more}" if managed else "nobody is presumed to be asked"
    others = f"; {counted(rest, 'instance goes', 'instances go')} by workloads.default" if rest else ""
    message = f"no VNF manager is known without a server; {asked}{others}"
    return Condition(code=Code.PLN_PRESUMED.value, ok=True, message=message)
