"""Room that is left when everything has arrived: upgraded nodes only fill up, so it is free all the time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf

from escalator.model.inventory import Instance, Node
from escalator.model.plan import Level, Move
from escalator.upgrade_manager.planner.cloud import SLACK, Kind, Shape, may_go
from escalator.upgrade_manager.planner.repair.away import Span
from escalator.upgrade_manager.planner.repair.clock import Clock
from escalator.upgrade_manager.planner.repair.given import Given
from escalator.upgrade_manager.planner.repair.rows import Rest
from escalator.upgrade_manager.planner.watching import place_of

LOOKED_AT = 50
"""Fitting targets that are compared before the best of them is taken."""

NOWHERE = ""
"""Where an instance ends that has lost its place."""

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
            # A copy is quicker, and most fill their nodes.
            self._free[name] = [
                dict(c) if fill == 1.0 else {what: amount * fill for what, amount in c.items()} for c in node.numa
            ]
        for name in given.done:
            if name in self._free:
                for instance in inventory.instances_by_node.get(name, ()):
                    self._take(instance, name, instance.cells, 1)
        for row in (*rest.rows.values(), *rest.new):
            for instance, _ in row.stays:
                self._take(instance, row.node.id, instance.cells, 1)
        self._planned: Mapping[str, Sequence[Move]] = {}
        self._goes: Mapping[str, str] = {}
        self._arrivals: dict[str, list[Span]] = {}
        """Of the targets that were asked for; what runs counts from the start."""
        self._apart = {g.id for g in inventory.groups if g.policy in ("anti-affinity", "soft-anti-affinity")}
        self._hard = {g.id: g.per_node for g in inventory.groups if g.per_node is not None}
        """How many members of each group one node may have, where that is bounded."""
        self._where: dict[str, str] = {}
        """Where those end that were looked at since."""
        self._members: dict[str, Counter[str]] = {}
        """Members of the groups that were asked for, by where they end."""
        self._roomy: dict[Need, list[tuple[float, str]]] = {}
        self._kinds: dict[str, Kind] = {}

    def fill(self, arrivals: Mapping[str, Sequence[Move]], goes: Mapping[str, str]) -> None:
        """All these moves take their places. `goes`: where each instance ends that moves."""
        self._planned, self._goes = dict(arrivals), goes
        known = self._given.inventory.instance_by_id
        for name, moves in arrivals.items():
            free = self._free[name]
            for move in moves:
                instance, where = known[move.instance], move.numa_cell
                for entry in (where,) if isinstance(where, int) else entries(move, instance):
                    cell = free[entry]
                    for resource, amount in instance.demand.items():
                        cell[resource] = cell.get(resource, 0.0) - amount

    def runs(self, instance: Instance, move: Move, span: Span) -> None:
        """The move is under way."""
        self._take(instance, move.target, entries(move, instance), 1)
        self._spans(move.target).append(span)

    def too_full(self) -> set[str]:
        """Targets that are to take more than they have, or more members of a group than it allows on one node."""
        found = {name for name in self._planned.keys() | self._arrivals.keys() if self.overfull(name)}
        for group, most in self._hard.items():
            ends = [name for name in self._ends(group) if name != NOWHERE]
            if len(set(ends)) < len(ends):
                found.update(name for name, count in Counter(ends).items() if count > most)
        return found

    def overfull(self, name: str) -> bool:
        """Whether the node is to take more than it has."""
        return any(min(cell.values(), default=0.0) < -SLACK for cell in self._free[name])

    def crowded(self, instance: Instance, name: str) -> bool:
        """Whether more members of one of its groups end there than the group allows on one node."""
        return any(group in self._hard and self._in(group)[name] > self._hard[group] for group in instance.groups)

    def occupy(self, instance: Instance, place: Place, span: Span) -> None:
        """The instance goes there then."""
        self._take(instance, *place, 1)
        self._spans(place[0]).append(span)
        self._ends_on(instance, place[0])

    def withdraw(self, instance: Instance, place: Place, span: Span) -> None:
        """The instance does not go there."""
        self._take(instance, *place, -1)
        self._spans(place[0]).remove(span)
        self._ends_on(instance, NOWHERE)
        for need, there in self._roomy.items():
            entry = (self.ready_s[place[0]], place[0])
            if not _holds(there, entry) and len(self._fitting(need, place[0])) >= need[0]:
                insort(there, entry)

    def ready(self, name: str, at_s: float) -> None:
        """The node takes instances from then on."""
        for there in self._roomy.values():
            entry = (self.ready_s[name], name)
            if _holds(there, entry):
                del there[bisect_left(there, entry)]
        self.ready_s[name] = at_s
        for need, there in self._roomy.items():
            if len(self._fitting(need, name)) >= need[0]:
                insort(there, (at_s, name))

    def find(self, instance: Instance, origin: Node, span: Span) -> Place | None:
        """A place for the instance that can take it then: best where its groups end as far apart as they are."""
        best: tuple[int, Place] | None = None
        for number, place in enumerate(self._places(instance, origin, span)):
            worse = self._strays(instance, place[0])
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
        if sum(start < span[1] - SLACK and span[0] < end - SLACK for start, end in self._spans(name)) >= self._per_node:
            return False
        if any(group in self._hard and self._in(group)[name] >= self._hard[group] for group in instance.groups):
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

    def _strays(self, instance: Instance, name: str) -> int:
        """What the place takes of how far apart groups are: members of soft ones share a node, a zone, a rack."""
        worse, node = 0, self._given.inventory.node_by_id[name]
        for group in instance.groups:
            if group in self._apart:
                worse += 4 * bool(self._in(group)[name])
                worse += 2 * self._closer(group, instance, node, "az") + self._closer(group, instance, node, "rack")
        return worse

    def _closer(self, group: str, instance: Instance, node: Node, level: Level) -> bool:
        """Whether the group would end closer together there than it is now."""
        nodes = self._given.inventory.node_by_id
        now = Counter(place_of(nodes[member.node], level) for member in self._given.inventory.members[group])
        now.pop(None, None)
        if len(now) < 2:  # in one place nothing can come closer
            return False
        ends = self._in(group).copy()
        ends[self._end(instance)] -= 1
        ends[node.id] += 1
        after: Counter[str | None] = Counter()
        for name, count in ends.items():
            if count > 0 and name != NOWHERE:
                after[place_of(nodes[name], level)] += count
        after.pop(None, None)
        return len(after) < len(now) or max(after.values()) > max(now.values())

    def _with_room(self, instance: Instance) -> Sequence[tuple[float, str]]:
        need = need_of(instance)
        found = self._roomy.get(need)
        if found is None:
            # What has no room for less has none for this.
            lists = [there for other, there in self._roomy.items() if _asks_less(other, need)]
            there = min(lists, key=len) if lists else sorted((at, name) for name, at in self.ready_s.items())
            found = self._roomy[need] = [one for one in there if len(self._fitting(need, one[1])) >= need[0]]
        return tuple(found)

    def _fitting(self, need: Need, name: str) -> list[int]:
        found = []
        for number, cell in enumerate(self._free[name]):
            for resource, amount in need[1]:
                if cell.get(resource, 0.0) + SLACK < amount:
                    break
            else:
                found.append(number)
        return found

    def _spans(self, name: str) -> list[Span]:
        """When something arrives there."""
        found = self._arrivals.get(name)
        if found is None:
            found = self._arrivals[name] = [(move.start_s, move.end_s) for move in self._planned.get(name, ())]
        return found

    def _ends(self, group: str) -> list[str]:
        goes, where = self._goes, self._where
        members = self._given.inventory.members.get(group, ())
        return [where[i.id] if i.id in where else goes.get(i.id, i.node) for i in members]

    def _in(self, group: str) -> Counter[str]:
        found = self._members.get(group)
        if found is None:
            found = self._members[group] = Counter(self._ends(group))
        return found

    def _take(self, instance: Instance, name: str, cells: Sequence[int], sign: int) -> None:
        free = self._free[name]
        for entry in cells:
            cell = free[entry]
            for resource, amount in instance.demand.items():
                cell[resource] = cell.get(resource, 0.0) - sign * amount

    def _ends_on(self, instance: Instance, name: str) -> None:
        for group in instance.groups:
            if group in self._apart or group in self._hard:
                there = self._in(group)
                there[self._end(instance)] -= 1
                there[name] += 1
        self._where[instance.id] = name

    def _end(self, instance: Instance) -> str:
        """Where the instance ends as things stand."""
        name = self._where.get(instance.id)
        return self._goes.get(instance.id, instance.node) if name is None else name


def need_of(instance: Instance) -> Need:
    """What the instance needs of a node."""
    return instance.numa_span, tuple((resource, amount) for resource, amount in instance.demand.items() if amount > 0)


def _asks_less(one: Need, other: Need) -> bool:
    """Whether nothing that the one needs is more than what the other does."""
    amounts = dict(other[1])
    return one[0] <= other[0] and all(amount <= amounts.get(resource, 0.0) for resource, amount in one[1])


def _holds(there: Sequence[tuple[float, str]], entry: tuple[float, str]) -> bool:
    number = bisect_left(there, entry)
    return number < len(there) and there[number] == entry


def entries(move: Move, instance: Instance) -> tuple[int, ...]:
    """NUMA entries that the move goes to."""
    if move.numa_cell is None:
        return tuple(range(instance.numa_span))
    return (move.numa_cell,) if isinstance(move.numa_cell, int) else move.numa_cell
