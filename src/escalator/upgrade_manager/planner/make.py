"""The planner's one entry: (campaign, inventory, who has a VNF manager) -> plan with its report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import NamedTuple

from escalator.model.campaign import Campaign
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Condition, Plan
from escalator.model.release import Impact
from escalator.upgrade_manager.planner import bounds as lower
from escalator.upgrade_manager.planner import conditions as c
from escalator.upgrade_manager.planner.actions import Action, Leaves
from escalator.upgrade_manager.planner.cloud import Cloud, build
from escalator.upgrade_manager.planner.givens import actions_of, first_conditions, stuck_on
from escalator.upgrade_manager.planner.groups import blocked_by_groups
from escalator.upgrade_manager.planner.hits import hits_of
from escalator.upgrade_manager.planner.impact import apart, seen_by
from escalator.upgrade_manager.planner.impossible import AFTER, demand_conditions, held_by, too_large
from escalator.upgrade_manager.planner.interruption import expected
from escalator.upgrade_manager.planner.kinds import kinds_there, order_conditions, order_of
from escalator.upgrade_manager.planner.more_time import time_relief
from escalator.upgrade_manager.planner.outage import outage_conditions, outages
from escalator.upgrade_manager.planner.policies import best_of
from escalator.upgrade_manager.planner.progress import Progress, midway_of, told
from escalator.upgrade_manager.planner.remedies import reserve_relief, spare_hosts
from escalator.upgrade_manager.planner.rows import bounds_of, impacts_of, moves_of, totals_of, upgrades_of, windows_of
from escalator.upgrade_manager.planner.rules import rules_of, staged
from escalator.upgrade_manager.planner.scope import ScopedNodes, select
from escalator.upgrade_manager.planner.stages import groups_condition
from escalator.upgrade_manager.planner.turns import Found, Midway, NotYet, Rules
from escalator.upgrade_manager.planner.uncollected import uncollected

BEGINNING = Progress()
NO_WIDTH = "no room under max_unavailable"


def make_plan(
    campaign: Campaign,
    inventory: Inventory,
    managed: Collection[str] = frozenset(),
    now_s: float | None = None,
    progress: Progress = BEGINNING,
    impact: Impact | None = None,
) -> Plan:
    """Plan the campaign on the inventory; `managed` holds the ids of instances that have a VNF manager.

    `impact` is that of the release; null where nothing is known of it: the plan is then one for nodes that reboot.

    `now_s` (Unix seconds) is when the campaign starts, or did: it tells which maintenance window comes first; without it a
    week begins on a Monday. A plan that is not smooth is returned all the same, with its feasible part and the reason for
    each node left out. The plan has no id yet: `Plan.sealed` gives it one.

    In the middle of a campaign, `progress` tells where it stands. The plan then counts from the same zero, begins nothing
    before `progress.at_s`, repeats what is under way with its real times, and keeps what it can of its parent.
    """
    with uncollected():
        plan = _made(campaign, seen_by(inventory, impact), managed, now_s, progress, impact)
        several = apart(impact) and len(kinds_there(campaign, inventory)) > 1
        borne = expected(campaign.spec, inventory, plan.moves)
        order = order_of(campaign) if several else ()
        windows = windows_of(campaign.spec, plan.upgrades, now_s)
        return plan.model_copy(update={"impact": impact, "order": order, "interruptions": borne, "windows": windows})


def _apart(cloud: Cloud, found: Found) -> Sequence[Condition]:
    groups, levels = {one.group for one in cloud.watched}, {one.level for one in cloud.watched}
    moving = any(turn.moves for turn in found.turns)
    return c.spread_conditions(len(groups), levels, found.closer, moving=moving)


def _made(
    campaign: Campaign,
    inventory: Inventory,
    managed: Collection[str],
    now_s: float | None,
    progress: Progress,
    impact: Impact | None,
) -> Plan:
    scope = replace(select(campaign, inventory), apart=apart(impact))
    actions: Mapping[str, Action] = actions_of(campaign, inventory, scope, managed)
    tried = _tried(campaign, inventory, scope, actions, now_s, progress)
    unplaced = c.unplaced(tried.cloud, tried.found)
    outage = outages(campaign, inventory, actions, [node for node, _ in unplaced], managed)
    if outage.actions != actions:
        # Those that find no room are stopped with their nodes; nobody else is.
        actions = dict(outage.actions)
        tried = _tried(campaign, inventory, scope, actions, now_s, progress)
        unplaced = c.unplaced(tried.cloud, tried.found)
    cloud, rules, found, midway, stuck, blocked = tried
    stranded = c.stranded(cloud, found)
    impossible = too_large(inventory, [*stranded, *_left_before(inventory, actions, {**stuck, **blocked})])
    # As long as one is larger than any node, there is no number of hosts that would do.
    hopeless = {one.instance for one in impossible} & {instance.id for instance in stranded}
    spare = AFTER if hopeless else spare_hosts(cloud, rules, found, midway)
    roomless = [(node, guest) for node, guest in unplaced if node not in held_by(impossible)]
    checks = (
        *outage_conditions(campaign, outage, found.turns),
        *first_conditions(campaign, inventory, scope, actions, managed, impact),
        c.group_condition(blocked),
        *groups_condition(rules.staging.groups if campaign.spec.scope.groups else ()),
        *demand_conditions(impossible),
        c.capacity_condition(
            roomless, c.room(campaign, inventory, spare), len({**stuck, **blocked}), planned=bool(found.turns or found.left)
        ),
        *c.other_conditions(
            cloud,
            rules,
            found,
            reserve_relief(cloud, rules, found, midway),
            time_relief(campaign, cloud, rules, found, now_s, midway),
        ),
        *_apart(cloud, found),
        *(order_conditions(campaign, inventory, rules.staging.groups) if scope.apart else ()),
    )
    left = {
        **scope.left_out,
        **told(scope, progress),
        **{n.id: "already upgraded" for n in scope.upgraded},
        **stuck,
        **blocked,
    }
    left |= {cloud.nodes[number].id: c.reason(cloud, wait) for number, wait in found.left.items()}
    left |= {node: f"no node could ever hold instance {one.instance}: {one.why}" for node, one in held_by(impossible).items()}
    return _report(cloud, rules, found, checks, left, midway)


def _left_before(inventory: Inventory, actions: Mapping[str, Action], nodes: Collection[str]) -> list[Instance]:
    """What would have to move from nodes that are left out for another reason: nobody looks for room for it."""
    here = [instance for node in nodes for instance in inventory.instances_by_node.get(node, ())]
    return [instance for instance in here if isinstance(actions.get(instance.id), Leaves)]


class _Tried(NamedTuple):
    """What the search found for these actions, and which nodes it did not look at, each with the reason."""

    cloud: Cloud
    rules: Rules
    found: Found
    midway: Midway
    stuck: Mapping[str, str]
    blocked: Mapping[str, str]


def _tried(
    campaign: Campaign,
    inventory: Inventory,
    scope: ScopedNodes,
    actions: Mapping[str, Action],
    now_s: float | None,
    progress: Progress,
) -> _Tried:
    stuck = stuck_on(inventory, actions)
    blocked = blocked_by_groups(inventory, [n for n in scope.eligible if n.id not in stuck], actions)
    free = [node for node in scope.eligible if node.id not in stuck and node.id not in blocked]
    cloud = build(campaign, inventory, actions, free, _targets(scope, stuck, blocked))
    midway = midway_of(cloud, inventory, progress)
    rules = rules_of(campaign, inventory, scope, cloud, now_s, progress.at_s)
    rules = staged(rules, campaign, inventory, scope, cloud, progress.parent)
    if rules.width > 0 or midway.begun:
        found = best_of(cloud, rules, midway)
    else:
        found = Found([], {n: NotYet(inf, NO_WIDTH) for n in _todo(cloud)})
    return _Tried(cloud, rules, found, midway, stuck, blocked)


def _todo(cloud: Cloud) -> list[int]:
    return [number for number, ready in enumerate(cloud.ready) if ready]


def _targets(scope: ScopedNodes, stuck: Mapping[str, str], blocked: Mapping[str, str]) -> Sequence[Node]:
    """Nodes that are upgraded already. Those that are stuck or blocked stay as they are, and take nothing."""
    return [node for node in scope.upgraded if node.id not in stuck and node.id not in blocked]


def _report(
    cloud: Cloud, rules: Rules, found: Found, checks: tuple[Condition, ...], left: Mapping[str, str], midway: Midway
) -> Plan:
    planned = [turn.node for turn in found.turns]
    parts = lower.remaining(cloud, planned, rules, midway)
    upgrades, moves = upgrades_of(cloud, rules, found), moves_of(cloud, found)
    plan = Plan(
        smooth=all(check.ok for check in checks),
        at_s=rules.at_s,
        bounds=bounds_of(lower.moves(cloud, planned), parts),
        totals=totals_of(upgrades, moves, found.end_s, left),
        groups=rules.staging.groups,
        hits=hits_of(found, rules),
        closer=found.closer,
        conditions=checks,
    )
    # Each row would have its interval checked; ours are in order.
    return plan.model_copy(update={"upgrades": upgrades, "moves": moves, "impacts": impacts_of(cloud, found)})
