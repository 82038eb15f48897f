"""The campaign's bounds in numbers, for one inventory."""

from __future__ import annotations

from collections import Counter
from math import floor

from escalator.model.campaign import Campaign, Spread
from escalator.model.inventory import Inventory
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.nights import lengths
from escalator.upgrade_manager.planner.scope import UNDER_WAY, ScopedNodes
from escalator.upgrade_manager.planner.turns import Domain, Rules
from escalator.upgrade_manager.planner.windows import Windows


def rules_of(
    campaign: Campaign, inventory: Inventory, scope: ScopedNodes, cloud: Cloud, now_s: float | None, at_s: float = 0.0
) -> Rules:
    """What the search has to hold to. A turn under way that is out of the picture takes its place among them all the same."""
    spec = campaign.spec
    estimates, waves = spec.estimates, spec.waves
    longest = max((cloud.upgrade_s[n] for n, ready in enumerate(cloud.ready) if ready), default=estimates.upgrade_s)
    return Rules(
        width=waves.limit(scope.count) - scope.unavailable - _unseen(scope, cloud),
        per_node=spec.migration.per_node,
        total=spec.migration.total,
        lead_s=spec.workloads.notify.lead_time_s,
        max_fill=waves.max_fill,
        extra_moves=_extra_moves(cloud, waves.max_extra_moves),
        reserve=waves.reserve_hosts,
        domains=tuple(_domain(rule, campaign, inventory, cloud) for rule in waves.spread),
        windows=Windows(lengths(spec, now_s)),
        at_s=at_s,
        p90=estimates.p90 if spec.windows or spec.not_after else 1.0,
        rollback_s=(longest if estimates.rollback_s is None else estimates.rollback_s) if spec.windows or spec.not_after else 0.0,
    )


def _unseen(scope: ScopedNodes, cloud: Cloud) -> int:
    known = {node.id for node in cloud.nodes}
    return sum(node.progress in UNDER_WAY and node.id not in known for node in scope.eligible)


def _extra_moves(cloud: Cloud, share: float) -> int:
    """Moves allowed beyond one per instance: a share of them, and at least what empties the first node where none is empty."""
    if share == 0:
        return 0
    leaving = [sum(g.leaves for g in guests) for guests, ready in zip(cloud.guests, cloud.ready, strict=True) if ready]
    return max(floor(share * sum(leaving)), min(leaving, default=0))


def _domain(rule: Spread, campaign: Campaign, inventory: Inventory, cloud: Cloud) -> Domain:
    down: Counter[str] = Counter()
    for node in inventory.nodes:
        if campaign.spec.scope.includes(node) and (node.state == "down" or node.maintenance):
            down.update(rule.values(node))
    return Domain(rule.by, rule.max, [rule.values(node) for node in cloud.nodes], dict(down))
