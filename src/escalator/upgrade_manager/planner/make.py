"""The planner's one entry: (campaign, inventory, who has a VNF manager) -> plan with its report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from escalator.model.campaign import Campaign
from escalator.model.inventory import Inventory, Node
from escalator.model.plan import Bounds, Condition, NotUpgraded, Plan, Totals
from escalator.upgrade_manager.planner import conditions as c
from escalator.upgrade_manager.planner.actions import Action, Leaves, Stuck, action_for
from escalator.upgrade_manager.planner.groups import blocked_by_groups
from escalator.upgrade_manager.planner.room import Room
from escalator.upgrade_manager.planner.schedule import Scheduler, Timetable
from escalator.upgrade_manager.planner.scope import ScopedNodes, select
from escalator.upgrade_manager.planner.waves import NodeTurn, Unplaced, WaveSearch


def make_plan(campaign: Campaign, inventory: Inventory, managed: Collection[str] = frozenset()) -> Plan:
    """Plan the campaign on the inventory; `managed` holds the ids of instances that have a VNF manager.

    A plan that is not smooth is returned all the same, with its feasible part and the reason for each node left out.
    The plan has no id yet: `Plan.sealed` gives it one.
    """
    scope = select(campaign, inventory)
    actions = _actions(campaign, inventory, scope.eligible, managed)
    stuck = _stuck(inventory, scope.eligible, actions)
    blocked = blocked_by_groups(inventory, [n for n in scope.eligible if n.id not in stuck], actions)
    free = [node for node in scope.eligible if node.id not in stuck and node.id not in blocked]
    limit = campaign.spec.waves.limit(scope.count)
    waves, unplaced = _search(campaign, inventory, scope, actions, free, limit)
    table = Scheduler(campaign, inventory).run(waves)
    checks = (
        *_conditions(inventory, scope, limit, actions),
        c.group_condition(blocked),
        c.capacity_condition(unplaced, campaign),
    )
    left = {**scope.left_out, **{n.id: "already upgraded" for n in scope.upgraded}, **stuck, **blocked}
    left |= {u.node.id: u.reason for u in unplaced}
    left |= {n.id: "no room under max_unavailable" for n in free if n.id not in left and limit <= scope.unavailable}
    bounds = _bounds(inventory, campaign, scope, table, actions)
    return _report(table, bounds, checks, left)


def _actions(campaign: Campaign, inventory: Inventory, nodes: Sequence[Node], managed: Collection[str]) -> dict[str, Action]:
    return {
        instance.id: action_for(instance, campaign.spec, managed=instance.id in managed)
        for node in nodes
        for instance in inventory.instances_by_node.get(node.id, ())
    }


def _stuck(inventory: Inventory, nodes: Sequence[Node], actions: Mapping[str, Action]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        for instance in inventory.instances_by_node.get(node.id, ()):
            action = actions[instance.id]
            if isinstance(action, Stuck):
                found.setdefault(node.id, action.reason)
    return found


def _search(
    campaign: Campaign,
    inventory: Inventory,
    scope: ScopedNodes,
    actions: Mapping[str, Action],
    free: Sequence[Node],
    limit: int,
) -> tuple[list[list[NodeTurn]], list[Unplaced]]:
    width = limit - scope.unavailable
    if width < 1:
        return [], []
    room = Room(inventory, campaign.spec.waves.max_fill)
    return WaveSearch(inventory, room, actions, scope.upgraded).run(free, width)


def _conditions(inventory: Inventory, scope: ScopedNodes, limit: int, actions: Mapping[str, Action]) -> tuple[Condition, ...]:
    stuck = [(inventory.instance_by_id[i], a) for i, a in actions.items() if isinstance(a, Stuck)]
    return (
        c.scope_condition(scope),
        c.availability_condition(scope, limit),
        c.pinned_condition(stuck),
        c.state_condition(stuck),
    )


def _report(table: Timetable, bounds: Bounds, checks: tuple[Condition, ...], left: Mapping[str, str]) -> Plan:
    totals = Totals(
        nodes=len(table.upgrades),
        moves=len(table.moves),
        makespan_s=table.end_s,
        not_upgraded=tuple(NotUpgraded(node=node, reason=reason) for node, reason in sorted(left.items())),
    )
    return Plan(
        smooth=all(check.ok for check in checks),
        upgrades=tuple(table.upgrades),
        moves=tuple(table.moves),
        impacts=tuple(table.impacts),
        bounds=bounds,
        totals=totals,
        conditions=checks,
    )


def _bounds(
    inventory: Inventory, campaign: Campaign, scope: ScopedNodes, table: Timetable, actions: Mapping[str, Action]
) -> Bounds:
    """Bounds for the nodes that the plan upgrades.

    What has to leave a node moves at least once, and the nodes go through in turns of the limit, each an upgrade long.
    """
    nodes = [upgrade.node for upgrade in table.upgrades]
    leaving = [i for node in nodes for i in inventory.instances_by_node.get(node, ()) if isinstance(actions[i.id], Leaves)]
    limit = max(1, campaign.spec.waves.limit(scope.count))
    turns = -(-len(nodes) // limit)
    return Bounds(moves=len(leaving), makespan_s=turns * campaign.spec.estimates.upgrade_s)
