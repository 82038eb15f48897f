"""Whether the VNF managers concerned by a plan would take notices, and how that is said."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory
from escalator.model.plan import Condition, Plan
from escalator.model.release import spares_instances
from escalator.vim_interface.port import Reachability, VimInterface

SHOWN = 10
"""How many VNF managers a message names before it counts the rest."""


async def reached(vim: VimInterface, instances: Sequence[Instance]) -> tuple[Reachability, ...]:
    """Test each VNF manager that speaks for one of the instances."""
    owners = await vim.owners(instances)
    return await vim.reach(sorted(set(owners.values())))


def concerned(plan: Plan, inventory: Inventory, nodes: Collection[str] | None = None) -> list[Instance]:
    """Instances on the nodes that the plan upgrades; on these of them alone when `nodes` is given.

    None where the release does not touch instances: whoever speaks for them is not told.
    """
    if spares_instances(plan.impact):
        return []
    wanted = [u.node for u in plan.upgrades if nodes is None or u.node in nodes]
    return [instance for node in wanted for instance in inventory.instances_by_node.get(node, ())]


def condition(found: Sequence[Reachability], campaign: Campaign) -> Condition:
    """What a plan says of it. It never fails the plan: what counts is who answers when the campaign starts."""
    bad = [one for one in found if not one.ok]
    if not bad:
        message = counted(len(found), "VNF manager concerned answers", "VNF managers concerned answer")
        return Condition(code=Code.PLN_OWNERS.value, ok=True, message=message)
    message = f"{_some(bad, found, 'VNF manager concerned', 'VNF managers concerned')} not answer now: {said(bad)}"
    return Condition(code=Code.PLN_OWNERS.value, ok=True, message=message, remedy=remedy(campaign))


def of_orchestrators(found: Sequence[Reachability]) -> Condition:
    """What a plan says of orchestrators: they are told later what they do not hear now, so that it always holds."""
    bad = [one for one in found if not one.ok]
    if not bad:
        message = counted(len(found), "orchestrator answers", "orchestrators answer")
        return Condition(code=Code.VIM_ORCHESTRATOR.value, ok=True, message=message)
    message = f"{_some(bad, found, 'orchestrator', 'orchestrators')} not answer now; what is missed is told later: {said(bad)}"
    return Condition(code=Code.VIM_ORCHESTRATOR.value, ok=True, message=message, remedy="escalator vnfm test NAME")


def _some(bad: Sequence[Reachability], found: Sequence[Reachability], one: str, many: str) -> str:
    whole = counted(len(found), one, many)
    return counted(len(bad), f"of {whole} does", f"of {whole} do")


def said(bad: Sequence[Reachability]) -> str:
    """Who does not answer, and why."""
    more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return "; ".join(f"{one.vnfm}: {one.code} {one.message.rstrip('.')}" for one in bad[:SHOWN]) + more


def remedy(campaign: Campaign) -> str:
    """What a person can do about it."""
    policy = campaign.spec.workloads.notify.on_undeliverable
    if policy != "pause":
        return f"escalator vnfm test NAME; by workloads.notify.on_undeliverable its nodes {policy}"
    return "see them back (escalator vnfm test NAME), or let the campaign document say on_undeliverable: skip-node"
