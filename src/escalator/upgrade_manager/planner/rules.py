"""The campaign's bounds in numbers, for one inventory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from math import floor

from escalator.model.campaign import Campaign, CampaignSpec, Spread
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.kinds import cluster_domains, kind_groups, masters
from escalator.upgrade_manager.planner.nights import spans
from escalator.upgrade_manager.planner.scope import UNDER_WAY, ScopedNodes, is_out
from escalator.upgrade_manager.planner.stages import groups_of
from escalator.upgrade_manager.planner.turns import Domain, Rules, Staging
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
        windows=windows_of(spec, now_s),
        at_s=at_s,
        p90=estimates.p90 if spec.windows or spec.not_after else 1.0,
        rollback_s=(longest if estimates.rollback_s is None else estimates.rollback_s) if spec.windows or spec.not_after else 0.0,
    )


def staged(
    rules: Rules, campaign: Campaign, inventory: Inventory, scope: ScopedNodes, cloud: Cloud, parent: Plan | None
) -> Rules:
    """The rules with the groups of nodes, kinds of nodes and waves that go one after the other, and members of clusters."""
    waves = campaign.spec.waves
    apart = waves.soak_s > 0 or bool(campaign.spec.gates.between)
    groups = groups_of(campaign, inventory, parent) or (kind_groups(campaign, inventory) if scope.apart else ())
    # The first node to be emptied is one of those that wait for no group.
    first = {node for group in groups if not group.after for node in group.nodes}
    extra = _extra_moves(cloud, waves.max_extra_moves, first) if campaign.spec.scope.groups else rules.extra_moves
    staging = Staging(groups, waves.soak_s if apart else None, masters(cloud) if scope.apart else {})
    domains = (*rules.domains, *(cluster_domains(campaign, inventory, cloud) if scope.apart else ()))
    return replace(rules, staging=staging, extra_moves=extra, domains=domains)


def windows_of(spec: CampaignSpec, now_s: float | None) -> Windows:
    """The campaign's maintenance windows in working time."""
    found = spans(spec, now_s)
    return Windows([closes - opens for opens, closes in found], [opens for opens, _ in found])


def _unseen(scope: ScopedNodes, cloud: Cloud) -> int:
    known = {node.id for node in cloud.nodes}
    return sum(node.progress in UNDER_WAY and node.id not in known for node in scope.eligible)


def _extra_moves(cloud: Cloud, share: float, first: Collection[str] | None = None) -> int:
    """Moves allowed beyond one per instance: a share of them, and at least what empties the first node where none is empty."""
    if share == 0:
        return 0
    # A node that takes no instances is no empty one to begin with.
    hosts = [n for n, ready in enumerate(cloud.ready) if ready and cloud.kinds[n].compute]
    leaving = {n: sum(g.leaves for g in cloud.guests[n]) for n in hosts}
    needed = [moves for n, moves in leaving.items() if first is None or cloud.nodes[n].id in first]
    return max(floor(share * sum(leaving.values())), min(needed, default=0))


def _domain(rule: Spread, campaign: Campaign, inventory: Inventory, cloud: Cloud) -> Domain:
    down: Counter[str] = Counter()
    for node in inventory.nodes:
        if campaign.spec.scope.includes(node) and is_out(node):
            down.update(rule.values(node))
    return Domain(rule.by, rule.max, [rule.values(node) for node in cloud.nodes], dict(down))
