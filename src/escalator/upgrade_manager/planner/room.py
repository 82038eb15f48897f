"""Room on nodes: resources per NUMA entry, and who of which group is where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations

from escalator.model.inventory import Instance, Inventory, Node
from escalator.upgrade_manager.planner.versions import older


class Room:
    """What is free on each node, counting a moving instance on both ends until it has left.

    `max_fill` bounds how full a node may be made (a share of its capacity).
    """

    def __init__(self, inventory: Inventory, max_fill: float = 1.0) -> None:
        self._inventory = inventory
        self._nodes = inventory.node_by_id
        self._max_fill = max_fill
        self._used: dict[str, list[Counter[str]]] = {n.id: [Counter() for _ in n.numa] for n in inventory.nodes}
        self._groups: dict[str, Counter[str]] = defaultdict(Counter)
        self._fill: dict[str, float] = {}  # computed when asked for, forgotten when the node changes
        for instance in inventory.instances:
            self.take(instance, instance.node, instance.cells)

    def take(self, instance: Instance, node: str, cells: Iterable[int]) -> None:
        """The instance occupies the node from now on."""
        self._fill.pop(node, None)
        for cell in cells:
            used = self._used[node][cell]
            for resource, amount in instance.demand.items():
                used[resource] += amount  # type: ignore[assignment]  # Counter counts any number
        for group in instance.groups:
            self._groups[node][group] += 1

    def leave(self, instance: Instance, node: str, cells: Iterable[int]) -> None:
        """The instance has left the node."""
        self._fill.pop(node, None)
        for cell in cells:
            used = self._used[node][cell]
            for resource, amount in instance.demand.items():
                used[resource] -= amount  # type: ignore[assignment]  # Counter counts any number
        for group in instance.groups:
            self._groups[node][group] -= 1

    def fit(self, instance: Instance, target: Node, *, renewed: bool = False) -> tuple[int, ...] | None:
        """NUMA entries of the target that can take the instance; None when it does not fit or may not be there.

        `renewed`: the target's hypervisor is upgraded before, so what the inventory tells of it does not count.
        """
        if not self._allowed(instance, target, renewed=renewed):
            return None
        cells = [cell for cell, capacity in enumerate(target.numa) if self._holds(instance, target.id, cell, capacity)]
        return next(combinations(cells, instance.numa_span), None)

    def fill(self, node: Node) -> float:
        """How full the node's scarcest resource is, 0 to 1."""
        known = self._fill.get(node.id)
        if known is not None:
            return known
        shares = [
            self._used[node.id][cell][resource] / amount
            for cell, capacity in enumerate(node.numa)
            for resource, amount in capacity.items()
            if amount
        ]
        self._fill[node.id] = full = max(shares, default=0.0)
        return full

    def _holds(self, instance: Instance, node: str, cell: int, capacity: Mapping[str, float]) -> bool:
        used = self._used[node][cell]
        return all(
            used[resource] + amount <= capacity.get(resource, 0.0) * self._max_fill + 1e-9
            for resource, amount in instance.demand.items()
        )

    def _allowed(self, instance: Instance, target: Node, *, renewed: bool) -> bool:
        origin, needs = self._nodes[instance.node], instance.requires
        if target.id == origin.id or target.nova_cell != origin.nova_cell or "compute" not in target.roles:
            return False
        if not renewed and older(target.versions.get("hypervisor"), origin.versions.get("hypervisor")):
            return False
        if needs.az is not None and target.az != needs.az:
            return False
        offered = (
            set(needs.aggregates) <= set(target.aggregates)
            and set(needs.traits) <= set(target.traits)
            and set(needs.physnets) <= set(target.physnets)
        )
        return offered and not any(self._conflicts(group, target.id) for group in instance.groups)

    def _conflicts(self, group: str, node: str) -> bool:
        policy = self._inventory.group_by_id[group].policy
        return policy == "anti-affinity" and self._groups[node][group] > 0
