"""What bounds the nodes that are out of service at once, by a campaign's plan."""

from __future__ import annotations

from escalator.model.campaign import Campaign
from escalator.model.inventory import Inventory, Node
from escalator.model.plan import Plan
from escalator.model.roles import STORAGE, Domains, clusters_of, sharing, storage_domain
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
        parts = {node.id: _parts(node, waves.storage_domain) for node in nodes if waves.storage_domain is not None}
        spread.append(SpreadLimit("cluster", 1, names, "of a cluster at most", parts))
    return Limits(
        most=waves.limit(len(nodes)),
        scope=frozenset(node.id for node in nodes),
        spread=tuple(spread),
        clusters=clusters,
        together=sharing([node for node in nodes if node.id in clusters], waves.storage_domain),
        groups=plan.groups,
        wave_soak_s=waves.soak_s if waves.soak_s or campaign.spec.gates.between else None,
        needs_s=needs_s(plan, campaign.spec, inventory),
    )


def _parts(node: Node, by: Domains | None) -> dict[str, str]:
    domain = storage_domain(node, by)
    return {} if domain is None else {f"{role} {name}": domain for role, name in clusters_of(node) if role == STORAGE}
