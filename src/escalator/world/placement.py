"""Room on nodes, and what makes a node unfit as a target: the checks that a real scheduler does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from escalator.model.entries import criteria
from escalator.model.inventory import Instance, Node

EPSILON = 1e-9
"""Amounts are floats; sums of many of them differ in the last digits."""


class Usage:
    """What is used on each NUMA entry of each node, claims of moves under way included.

    With `balances`, instances get entries by the rule of `escalator.model.entries`, as Nova does since 26; else the first that
    hold them, as it did up to 23.
    """

    def __init__(self, *, balances: bool = False) -> None:
        self.balances = balances
        self._used: dict[str, list[defaultdict[str, float]]] = {}

    def add_node(self, node: Node) -> None:
        """Start counting on a node."""
        self._used.setdefault(node.id, [defaultdict(float) for _ in node.numa])

    def claim(self, node: str, cells: Sequence[int], demand: Mapping[str, float], sign: int = 1) -> None:
        """Count `demand` on each of the cells; with `sign` -1 give it back."""
        used = self._used[node]
        for cell in cells:
            for resource, amount in demand.items():
                used[cell][resource] += sign * amount

    def used(self, node: str) -> tuple[dict[str, float], ...]:
        """What is used on each entry of the node."""
        return tuple({key: amount for key, amount in cell.items() if amount} for cell in self._used[node])

    def fit(self, node: Node, instance: Instance) -> tuple[int, ...] | None:
        """The entries of the node that the instance gets; None when too few hold it."""
        used = self._used[node.id]
        free = [{name: all_ - there[name] for name, all_ in has.items()} for has, there in zip(node.numa, used, strict=True)]
        fitting = [
            cell
            for cell, there in enumerate(free)
            if all(there.get(resource, 0.0) + EPSILON >= amount for resource, amount in instance.demand.items())
        ]
        if len(fitting) < instance.numa_span:
            return None
        if self.balances:
            by = criteria(instance.demand, {name for there in free for name in there})
            fitting.sort(key=lambda cell: [sign * sum(free[cell].get(name, 0.0) for name in names) for sign, names in by])
        return tuple(sorted(fitting[: instance.numa_span]))


def unfit(node: Node, instance: Instance, origin: Node, *, live: bool) -> str | None:
    """Why the node cannot take the instance, capacity and groups aside; None when it can."""
    if node.id == origin.id:
        return "it is the node that the instance is on"
    if "compute" not in node.roles:
        return "it is no compute node"
    if node.state != "up":
        return "its compute service is down"
    if node.maintenance:
        return f"its compute service is disabled ({node.maintenance_reason or 'no reason given'})"
    if live and _older(node.versions.get("hypervisor"), origin.versions.get("hypervisor")):
        return "its hypervisor is older than the one of the node that the instance is on"
    return _lacking(node, instance)


def _lacking(node: Node, instance: Instance) -> str | None:
    wants = instance.requires
    if wants.az is not None and wants.az != node.az:
        return f"it is not in availability zone {wants.az}"
    for what, wanted, offered in (
        ("aggregates", wants.aggregates, node.aggregates),
        ("traits", wants.traits, node.traits),
        ("physical networks", wants.physnets, node.physnets),
    ):
        missing = sorted(set(wanted) - set(offered))
        if missing:
            return f"it lacks the {what} {', '.join(missing)}"
    return None


def _older(version: str | None, than: str | None) -> bool:
    if version is None or than is None:
        return False
    return _parts(version) < _parts(than)


def _parts(version: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in version.replace("-", ".").split("."))
