"""Room on nodes: resources per NUMA entry, and who of which group is where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations

from escalator.model.inventory import Instance, Inventory, Node
from escalator.upgrade_manager.planner.versions import older


class Room:
    """What is free on each node of an inventory, looked at node by node when it is asked for.

    `max_fill` bounds how full a node may be made (a share of its capacity).
    """

    def __init__(self, inventory: Inventory, max_fill: float = 1.0) -> None:
        self._inventory = inventory
        self._nodes = inventory.node_by_id
        self._max_fill = max_fill
        self._seen: dict[str, tuple[list[Counter[str]], Counter[str]]] = {}

    def _there(self, node: str) -> tuple[list[Counter[str]], Counter[str]]:
        """What is used of each NUMA entry of the node, and how many members of each group are there."""
        known = self._seen.get(node)
        if known is not None:
            return known
        cells: list[Counter[str]] = [Counter() for _ in self._nodes[node].numa]
        groups: Counter[str] = Counter()
        for instance in self._inventory.instances_by_node.get(node, ()):
            groups.update(instance.groups)
            for cell in instance.cells:
                for resource, amount in instance.demand.items():
                    cells[cell][resource] += amount  # type: ignore[assignment]  # Counter counts any number
        self._seen[node] = cells, groups
        return cells, groups

    def fit(self, instance: Instance, target: Node, *, renewed: bool = False) -> tuple[int, ...] | None:
        """NUMA entries of the target that can take the instance; None when it does not fit or may not be there.

        `renewed`: the target's hypervisor is upgraded before, so what the inventory tells of it does not count.
        """
        if not self._allowed(instance, target, renewed=renewed):
            return None
        cells = [cell for cell, capacity in enumerate(target.numa) if self._holds(instance, target.id, cell, capacity)]
        return next(combinations(cells, instance.numa_span), None)

    def holds(self, instance: Instance) -> bool:
        """Whether its own node has room for it beside all that the inventory shows there."""
        node = self._nodes[instance.node]
        cells = [cell for cell, capacity in enumerate(node.numa) if self._holds(instance, node.id, cell, capacity)]
        return len(cells) >= instance.numa_span

    def fill(self, node: Node) -> float:
        """How full the node's scarcest resource is, 0 to 1."""
        used, _ = self._there(node.id)
        shares = [
            used[cell][resource] / amount
            for cell, capacity in enumerate(node.numa)
            for resource, amount in capacity.items()
            if amount
        ]
        return max(shares, default=0.0)

    def _holds(self, instance: Instance, node: str, cell: int, capacity: Mapping[str, float]) -> bool:
        used = self._there(node)[0][cell]
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
        most = self._inventory.group_by_id[group].per_node
        return most is not None and self._there(node)[1][group] >= most
