"""What bounds the nodes that are out of service at once, by a campaign's plan."""

from __future__ import annotations

from escalator.model.campaign import Campaign
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.engine.admission import SpreadLimit
from escalator.upgrade_manager.engine.board import Limits
from escalator.upgrade_manager.engine.windows import needs_s


def limits_of(campaign: Campaign, plan: Plan, inventory: Inventory) -> Limits:
    """The limits over the nodes of the campaign's scope."""
    waves = campaign.spec.waves
    nodes = [node for node in inventory.nodes if campaign.spec.scope.includes(node)]
    return Limits(
        most=waves.limit(len(nodes)),
        scope=frozenset(node.id for node in nodes),
        spread=tuple(SpreadLimit(rule.by, rule.max, {node.id: rule.values(node) for node in nodes}) for rule in waves.spread),
        groups=plan.groups,
        wave_soak_s=waves.soak_s if waves.soak_s or campaign.spec.gates.between else None,
        needs_s=needs_s(plan, campaign.spec, inventory),
    )
