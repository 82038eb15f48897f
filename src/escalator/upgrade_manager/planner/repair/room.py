"""Room that is left when everything has arrived: upgraded nodes only fill up, so it is free all the time."""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import inf

from escalator.model.inventory import Instance, Node
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.cloud import SLACK, Kind, Shape, may_go
from escalator.upgrade_manager.planner.repair.clock import Clock, Span
from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.repair.rows import Rest

LOOKED_AT = 50
"""Fitting targets that are compared before the best of them is taken."""

Need = tuple[int, tuple[tuple[str, float], ...]]
"""NUMA entries, and what is needed of each."""
Place = tuple[str, tuple[int, ...]]
"""A node and NUMA entries of it."""


class Room:
    """Targets with what is free in the end. `ready_s`: when each takes instances, in the times of the plan so far."""

    def __init__(self, given: Given, rest: Rest, clock: Clock) -> None:
        self._given = given
        self._per_node = given.campaign.spec.migration.per_node
        inventory = given.inventory
        self.ready_s: dict[str, float] = dict.fromkeys(given.done - given.stuck.keys() - given.blocked.keys(), -inf)
        self.ready_s |= {name: clock.upgrade(row)[1] for name, row in rest.rows.items()}
        self.ready_s |= {row.node.id: inf for row in rest.new}
        fill = given.campaign.spec.waves.max_fill
        self._free: dict[str, list[dict[str, float]]] = {}
        for name in self.ready_s:
            node = inventory.node_by_id[name]
            self._free[name] = [{resource: amount * fill for resource, amount in cell.items()} for cell in node.numa]
        for name in given.done:
            if name in self._free:
                for instance in inventory.instances_by_node.get(name, ()):
                    self._take(instance, name, instance.cells, 1)
        for row in (*rest.rows.values(), *rest.new):
            for instance, _ in row.stays:
                self._take(instance, row.node.id, instance.cells, 1)
        self._arrivals: defaultdict[str, list[Span]] = defaultdict(list)
        self._apart = {g.id for g in inventory.groups if g.policy in ("anti-affinity", "soft-anti-affinity")}
        self._hard = {g.id for g in inventory.groups if g.policy == "anti-affinity"}
        self._members: Counter[tuple[str, str]] = Counter()
        self._roomy: dict[Need, list[tuple[float, str]]] = {}
        self._kinds: dict[str, Kind] = {}

    def count_members(self, goes: dict[str, str]) -> None:
        """Count the members of each group of anti-affinity where they end."""
        apart, members = self._apart, self._members
        for instance in self._given.inventory.instances:
            for group in instance.groups:
                if group in apart:
                    key = (group, goes.get(instance.id, instance.node))
                    members[key] = members.get(key, 0) + 1

    def arrives(self, instance: Instance, move: Move, span: Span) -> None:
        """The move of the plan so far takes its place."""
        where, free = move.numa_cell, self._free[move.target]
        for entry in (where,) if isinstance(where, int) else entries(move, instance):
            cell = free[entry]
            for resource, amount in instance.demand.items():
                cell[resource] = cell.get(resource, 0.0) - amount
        self._arrivals[move.target].append(span)

    def too_full(self) -> set[str]:
        """Targets that are to take more than they have, or two members of a group of hard anti-affinity."""
        crowded = {name for (group, name), count in self._members.items() if count > 1 and group in self._hard}
        return crowded | {name for name in self._arrivals if self.overfull(name)}

    def overfull(self, name: str) -> bool:
        """Whether the node is to take more than it has."""
        return any(amount < -SLACK for cell in self._free[name] for amount in cell.values())

    def crowded(self, instance: Instance, name: str) -> bool:
        """Whether another member of a group of hard anti-affinity ends there, too."""
        return any(group in self._hard and self._members[group, name] > 1 for group in instance.groups)

    def occupy(self, instance: Instance, place: Place, span: Span) -> None:
        """The instance goes there then."""
        self._take(instance, *place, 1)
        self._arrivals[place[0]].append(span)
        self._join(instance, place[0], 1)

    def withdraw(self, instance: Instance, place: Place, span: Span) -> None:
        """The instance does not go there."""
        self._take(instance, *place, -1)
        self._arrivals[place[0]].remove(span)
        self._join(instance, place[0], -1)
        for need, there in self._roomy.items():
            entry = (self.ready_s[place[0]], place[0])
            if entry not in there and len(self._fitting(need, place[0])) >= need[0]:
                insort(there, entry)

    def ready(self, name: str, at_s: float) -> None:
        """The node takes instances from then on."""
        for there in self._roomy.values():
            if (self.ready_s[name], name) in there:
                there.remove((self.ready_s[name], name))
        self.ready_s[name] = at_s
        for need, there in self._roomy.items():
            if len(self._fitting(need, name)) >= need[0]:
                insort(there, (at_s, name))

    def find(self, instance: Instance, origin: Node, span: Span, wanted: str | None = None) -> Place | None:
        """A place for the instance that can take it then: best where it is as far from other members as on the node `wanted`."""
        best: tuple[int, Place] | None = None
        for number, place in enumerate(self._places(instance, origin, span)):
            worse = self._strays(instance, place[0], wanted)
            if best is None or worse < best[0]:
                best = worse, place
            if not worse or number >= LOOKED_AT:
                break
        return best[1] if best is not None else None

    def times(self, instance: Instance, from_s: float) -> Iterator[float]:
        """Moments at which one more node with room for the instance takes instances."""
        last = from_s
        for ready_s, _ in self._with_room(instance):
            if ready_s > last + SLACK and ready_s < inf:
                last = ready_s
                yield ready_s

    # -- inside

    def _places(self, instance: Instance, origin: Node, span: Span) -> Iterator[Place]:
        for ready_s, name in self._with_room(instance):
            if ready_s > span[0] + SLACK:
                return
            cells = self._fitting(need_of(instance), name)
            if len(cells) >= instance.numa_span and name != origin.id and self._takes(instance, origin, name, span):
                yield name, tuple(sorted(cells, key=lambda cell: self._left(name, cell))[: instance.numa_span])

    def _left(self, name: str, cell: int) -> float:
        return sum(self._free[name][cell].values())

    def _takes(self, instance: Instance, origin: Node, name: str, span: Span) -> bool:
        there = self._arrivals.get(name, ())
        if sum(start < span[1] - SLACK and span[0] < end - SLACK for start, end in there) >= self._per_node:
            return False
        if any(group in self._hard and self._members[group, name] for group in instance.groups):
            return False
        shape = Shape((), instance.numa_span, origin.nova_cell, origin.versions.get("hypervisor"), instance.requires)
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = self._kind(self._given.inventory.node_by_id[name])
        return may_go(shape, kind, renewed=not kind.done)

    def _kind(self, node: Node) -> Kind:
        offers = (node.az, node.aggregates, node.traits, node.physnets)
        return Kind(
            node.nova_cell, "compute" in node.roles, *offers, node.versions.get("hypervisor"), node.id in self._given.done
        )

    def _strays(self, instance: Instance, name: str, wanted: str | None) -> int:
        """How little the place keeps of how far apart groups are: soft ones share a node, or it is in another zone or rack."""
        apart = [group for group in instance.groups if group in self._apart]
        if not apart:
            return 0
        nodes = self._given.inventory.node_by_id
        there, before = nodes[name], nodes[wanted or instance.node]
        shared = any(self._members[group, name] for group in apart)
        return 4 * shared + 2 * (there.az != before.az) + (there.rack != before.rack)

    def _with_room(self, instance: Instance) -> Sequence[tuple[float, str]]:
        need = need_of(instance)
        found = self._roomy.get(need)
        if found is None:
            there = [(at, name) for name, at in self.ready_s.items() if len(self._fitting(need, name)) >= need[0]]
            found = self._roomy[need] = sorted(there)
        return tuple(found)

    def _fitting(self, need: Need, name: str) -> list[int]:
        return [
            number
            for number, cell in enumerate(self._free[name])
            if all(cell.get(resource, 0.0) + SLACK >= amount for resource, amount in need[1])
        ]

    def _take(self, instance: Instance, name: str, cells: Sequence[int], sign: int) -> None:
        free = self._free[name]
        for entry in cells:
            cell = free[entry]
            for resource, amount in instance.demand.items():
                cell[resource] = cell.get(resource, 0.0) - sign * amount

    def _join(self, instance: Instance, name: str, sign: int) -> None:
        for group in instance.groups:
            if group in self._apart:
                self._members[group, name] += sign


def need_of(instance: Instance) -> Need:
    """What the instance needs of a node."""
    return instance.numa_span, tuple((resource, amount) for resource, amount in instance.demand.items() if amount > 0)


def entries(move: Move, instance: Instance) -> tuple[int, ...]:
    """NUMA entries that the move goes to."""
    if move.numa_cell is None:
        return tuple(range(instance.numa_span))
    return (move.numa_cell,) if isinstance(move.numa_cell, int) else move.numa_cell
