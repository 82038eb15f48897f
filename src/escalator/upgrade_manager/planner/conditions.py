"""The conditions of a smooth upgrade, each with its facts and a remedy in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Instance
from escalator.model.plan import Condition
from escalator.upgrade_manager.planner.actions import Stuck
from escalator.upgrade_manager.planner.scope import ScopedNodes
from escalator.upgrade_manager.planner.waves import Unplaced

SHOWN = 10
"""How many objects a message names before it counts the rest."""


def scope_condition(scope: ScopedNodes) -> Condition:
    """The scope selects nodes, and at least one can be upgraded or is upgraded."""
    if scope.count == 0:
        return _fails(Code.PLN_SCOPE, "the scope selects no node", "check scope.select and scope.exclude against the node list")
    return _holds(Code.PLN_SCOPE, f"{scope.count} nodes in scope, {len(scope.upgraded)} of them upgraded already")


def availability_condition(scope: ScopedNodes, limit: int) -> Condition:
    """Nodes that are out of service already leave room under `max_unavailable`."""
    names = _names([f"{node}: {reason}" for node, reason in sorted(scope.left_out.items())])
    if scope.unavailable >= limit and scope.eligible:
        need = scope.unavailable + 1
        return _fails(
            Code.PLN_NODE_STATE,
            f"{scope.unavailable} nodes in scope are out of service, max_unavailable is {limit}; {names}",
            f"bring nodes back, or raise waves.max_unavailable to at least {need}",
        )
    return _holds(Code.PLN_NODE_STATE, f"left out: {names}" if names else "every node in scope is in service")


def pinned_condition(stuck: Sequence[tuple[Instance, Stuck]]) -> Condition:
    """Every instance can move or may stay."""
    pinned = [(i, s) for i, s in stuck if i.blocked is None]
    if not pinned:
        return _holds(Code.PLN_PINNED, "every instance can move or may stay")
    return _fails(Code.PLN_PINNED, _names([s.reason for _, s in pinned]), pinned[0][1].remedy)


def state_condition(stuck: Sequence[tuple[Instance, Stuck]]) -> Condition:
    """No instance is in a state that lets nobody touch it."""
    blocked = [(i, s) for i, s in stuck if i.blocked is not None]
    if not blocked:
        return _holds(Code.PLN_INSTANCE_STATE, "no instance's state stands in the way")
    return _fails(Code.PLN_INSTANCE_STATE, _names([s.reason for _, s in blocked]), blocked[0][1].remedy)


def group_condition(blocked: Mapping[str, str]) -> Condition:
    """No group's limit or affinity keeps a node from being upgraded; `blocked` gives the reason per node."""
    if blocked:
        said = [f"{node}: {reason}" for node, reason in sorted(blocked.items())]
        remedy = "raise the limits of the groups named by what is missing, spread their members, or exclude these nodes"
        return _fails(Code.PLN_GROUP, _names(said), remedy)
    return _holds(Code.PLN_GROUP, "every group's limit can hold")


def capacity_condition(unplaced: Sequence[Unplaced], campaign: Campaign) -> Condition:
    """There is room for everything that has to move."""
    if not unplaced:
        return _holds(Code.PLN_CAPACITY, "there is room for everything that has to move")
    shape = _shape([u.instance for u in unplaced if u.instance is not None])
    message = _names([f"{u.node.id}: {u.reason}" for u in unplaced])
    if shape:
        remedy = f"add 1 empty host with at least {shape} free, in the aggregate and zone of the instances named"
    else:
        remedy = f"raise waves.max_unavailable above {campaign.spec.waves.max_unavailable}, or relax the groups named"
    return _fails(Code.PLN_CAPACITY, message, remedy)


def _shape(instances: Sequence[Instance]) -> str:
    need: Counter[str] = Counter()
    for instance in instances:
        for resource, amount in instance.demand.items():
            need[resource] = max(need[resource], amount * instance.numa_span)  # type: ignore[assignment]
    return ", ".join(f"{resource} {amount:g}" for resource, amount in sorted(need.items()))


def _names(items: Sequence[str]) -> str:
    more = f"; and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return "; ".join(items[:SHOWN]) + more


def _holds(code: Code, message: str) -> Condition:
    return Condition(code=code.value, ok=True, message=message)


def _fails(code: Code, message: str, remedy: str) -> Condition:
    return Condition(code=code.value, ok=False, message=message, remedy=remedy)
