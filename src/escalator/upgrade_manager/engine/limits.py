"""What bounds the nodes that are out of service at once, by a campaign's plan."""

from __future__ import annotations

from escalator.model.campaign import Campaign
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.model.roles import clusters_of
from escalator.upgrade_manager.engine.admission import SpreadLimit
from escalator.upgrade_manager.engine.board import Limits
from escalator.upgrade_manager.engine.windows import needs_s


def limits_of(campaign: Campaign, plan: Plan, inventory: Inventory) -> Limits:
    """The limits over the nodes of the campaign's scope."""
    waves = campaign.spec.waves
    nodes = [node for node in inventory.nodes if campaign.spec.scope.includes(node)]
    clusters = {node.id: clusters_of(node) for node in nodes if plan.impact != "none" and clusters_of(node)}
    spread = [SpreadLimit(rule.by, rule.max, {node.id: rule.values(node) for node in nodes}) for rule in waves.spread]
    if clusters:
        names = {node: tuple(f"{role} {name}" for role, name in mine) for node, mine in clusters.items()}
        spread.append(SpreadLimit("cluster", 1, names, "of a cluster at most"))
    return Limits(
        most=waves.limit(len(nodes)),
        scope=frozenset(node.id for node in nodes),
        spread=tuple(spread),
        clusters=clusters,
        groups=plan.groups,
        wave_soak_s=waves.soak_s if waves.soak_s or campaign.spec.gates.between else None,
        needs_s=needs_s(plan, campaign.spec, inventory),
    )
