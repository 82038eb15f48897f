"""Room on nodes, and what makes a node unfit as a target: the checks that a real scheduler does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations, islice

from escalator.model.inventory import Instance, Node

EPSILON = 1e-9
"""Amounts are floats; sums of many of them differ in the last digits."""


class Usage:
    """What is used on each NUMA entry of each node, claims of moves under way included."""

    def __init__(self) -> None:
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
        """The first entries of the node that hold the instance; None when there are too few."""
        used = self._used[node.id]
        fitting = (
            cell
            for cell, capacity in enumerate(node.numa)
            if all(
                used[cell][resource] + amount <= capacity.get(resource, 0.0) + EPSILON
                for resource, amount in instance.demand.items()
            )
        )
        return next(combinations(islice(fitting, instance.numa_span), instance.numa_span), None)


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
