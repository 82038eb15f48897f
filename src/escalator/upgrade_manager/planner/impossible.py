"""Instances for which no node of the cloud would be large enough, were it empty: more hosts of these kinds would not help.

It is mostly a slip in an inventory that was written by hand: an amount in another unit, a resource under another name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory, Node, Requires
from escalator.model.plan import Condition

AFTER = f"mend {Code.PLN_IMPOSSIBLE.value} first: how many hosts would do is counted then"
"""The remedy for whatever else finds no room."""
NOTHING = Requires()
REQUIRES = "requires"
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
        needs = instance.requires
        offers = (needs.az, needs.aggregates, needs.traits, needs.physnets)
        alike = (*sorted(instance.demand.items()), instance.numa_span, *offers)
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
    offering = [node for node in nodes if not _missing(node, instance.requires)]
    if any(_holds(node, demand, span) for node in offering):
        return ""
    if not offering:
        return f"it {REQUIRES} {_told(instance.requires)}, {_offered(nodes, instance.requires)}"
    if any(_holds(node, demand, span) for node in nodes):
        return f"it {REQUIRES} {_told(instance.requires)}, and no node that offers it could hold {_said(demand)}"
    each = " in each of its NUMA entries" if span > 1 else " in one NUMA entry" if any(len(n.numa) > 1 for n in nodes) else ""
    for name, amount in sorted(demand.items()):
        most, where = max(((_most(node, name, span), node.id) for node in nodes), default=(0.0, ""), key=lambda found: found[0])
        if most < amount:
            there = f"the most that a node has is {most:g} ({where})" if most else "no node has any"
            return f"it needs {name} {amount:g}{each}, {there}"
    return f"it needs {_said(demand)}{each}, no node has all of that"


def _said(demand: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {amount:g}" for name, amount in sorted(demand.items()))


def _wanted(needs: Requires) -> list[tuple[str, str]]:
    """What is required, one thing after the other."""
    lists = {"aggregate": needs.aggregates, "trait": needs.traits, "physnet": needs.physnets}
    zone = [] if needs.az is None else [("az", needs.az)]
    return [*zone, *((kind, name) for kind, names in lists.items() for name in names)]


def _offers(node: Node) -> set[tuple[str, str]]:
    lists = {"aggregate": node.aggregates, "trait": node.traits, "physnet": node.physnets}
    zone = set() if node.az is None else {("az", node.az)}
    return zone | {(kind, name) for kind, names in lists.items() for name in names}


def _missing(node: Node, needs: Requires) -> bool:
    """Whether the node lacks something of it."""
    return bool(needs != NOTHING and set(_wanted(needs)) - _offers(node))


def _told(needs: Requires) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in _wanted(needs))


def _offered(nodes: Sequence[Node], needs: Requires) -> str:
    """What of it no node offers; else that none offers all of it."""
    offered = {offer for node in nodes for offer in _offers(node)}
    none = [f"{kind} {name}" for kind, name in _wanted(needs) if (kind, name) not in offered]
    return f"no node offers {', '.join(none)}" if none else "no node offers all of that"


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
    if any(REQUIRES in one.why for one in found):
        many = (
            counted(len(found), "instance that has to move", "instances that have to move") + " could go to no node of the cloud"
        )
    else:
        many = counted(len(found), "instance that has to move is", "instances that have to move are")
        many += " larger than any node of the cloud"
    message = f"{many}: {'; '.join(said[:SHOWN])}{more}"
    remedy = (
        "correct its demand, or what it requires, where it was written down, or let it stay in place"
        " (workloads.default.action), or exclude its node"
    )
    return (Condition(code=Code.PLN_IMPOSSIBLE.value, ok=False, message=message, remedy=remedy),)
