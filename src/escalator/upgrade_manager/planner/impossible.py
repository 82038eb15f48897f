"""Instances for which no node of the cloud would be large enough, were it empty: more hosts of these kinds would not help.

It is mostly a slip in an inventory that was written by hand: an amount in another unit, a resource under another name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Condition

AFTER = f"mend {Code.PLN_IMPOSSIBLE.value} first: how many hosts would do is counted then"
"""The remedy for whatever else finds no room."""
SHOWN = 10
"""How many instances a message names before it counts the rest."""


class TooLarge(NamedTuple):
    """One of them: where it is, and what it needs with the most that there is."""

    instance: str
    node: str
    why: str


def too_large(inventory: Inventory, instances: Sequence[Instance]) -> Sequence[TooLarge]:
    """Those of the instances that no compute node could ever hold."""
    nodes = [node for node in inventory.nodes if "compute" in node.roles]
    known: dict[tuple[object, ...], str] = {}
    found = []
    for instance in instances:
        alike = (*sorted(instance.demand.items()), instance.numa_span)
        if alike not in known:
            known[alike] = _why(nodes, instance)
        if known[alike]:
            found.append(TooLarge(instance.id, instance.node, known[alike]))
    return found


def held_by(found: Sequence[TooLarge]) -> Mapping[str, TooLarge]:
    """The first of each node that cannot be emptied for it."""
    return {one.node: one for one in reversed(found)}


def _why(nodes: Sequence[Node], instance: Instance) -> str:
    """Why none of the nodes could hold it; empty where one could."""
    span, demand = instance.numa_span, {name: amount for name, amount in instance.demand.items() if amount > 0}
    if any(_holds(node, demand, span) for node in nodes):
        return ""
    each = " in each of its NUMA entries" if span > 1 else " in one NUMA entry" if any(len(n.numa) > 1 for n in nodes) else ""
    for name, amount in sorted(demand.items()):
        most, where = max(((_most(node, name, span), node.id) for node in nodes), default=(0.0, ""), key=lambda found: found[0])
        if most < amount:
            there = f"the most that a node has is {most:g} ({where})" if most else "no node has any"
            return f"it needs {name} {amount:g}{each}, {there}"
    return f"it needs {', '.join(f'{name} {amount:g}' for name, amount in sorted(demand.items()))}{each}, no node has all of that"


def _holds(node: Node, demand: Mapping[str, float], span: int) -> bool:
    entries = [numa for numa in node.numa if all(numa.get(name, 0.0) >= amount for name, amount in demand.items())]
    return len(entries) >= span


def _most(node: Node, resource: str, span: int) -> float:
    """The most of the resource that each of so many NUMA entries of the node has."""
    amounts = sorted((numa.get(resource, 0.0) for numa in node.numa), reverse=True)
    return amounts[span - 1] if len(amounts) >= span else 0.0


def demand_conditions(found: Sequence[TooLarge]) -> tuple[Condition, ...]:
    """What no node could ever hold; nothing is said where there is nothing of the kind."""
    if not found:
        return ()
    said = [f"instance {one.instance}: {one.why}" for one in sorted(found)]
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    many = counted(len(found), "instance that has to move is", "instances that have to move are")
    message = f"{many} larger than any node of the cloud: {'; '.join(said[:SHOWN])}{more}"
    remedy = (
        "correct its demand where it was written down, or let it stay in place (workloads.default.action), or exclude its node"
    )
    return (Condition(code=Code.PLN_IMPOSSIBLE.value, ok=False, message=message, remedy=remedy),)
