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
from escalator.upgrade_manager.planner.repair.reserve import Reserve
from escalator.upgrade_manager.planner.repair.rows import Rest, entries
from escalator.upgrade_manager.planner.watching import place_of

LOOKED_AT = 50
"""Fitting targets that are compared before the best of them is taken."""

NOWHERE = ""
"""Where an instance ends that has lost its place."""

Need = tuple[int, int]
"""NUMA entries, and what is needed of each."""
Place = tuple[str, tuple[int, ...]]
"""A node and NUMA entries of it."""


class Room:
    """Targets with what is free in the end. `ready_s`: when each takes instances, in the times of the plan so far."""

    def __init__(self, given: Given, rest: Rest, clock: Clock, reserve: Reserve) -> None:
        self._given, self._reserve = given, reserve
        self._per_node = given.campaign.spec.migration.per_node
        self._rest, self._sums = rest, given.sums
        self.ready_s: dict[str, float] = dict.fromkeys(given.done - given.stuck.keys() - given.blocked.keys(), -inf)
        self.ready_s |= {name: clock.upgrade(row)[1] if row.begun else row.end_s for name, row in rest.rows.items()}
        self.ready_s |= {row.node.id: inf for row in rest.new}
        self._rows = {**rest.rows, **{row.node.id: row for row in rest.new}}
        self._free: dict[str, list[int]] = {}
        """Of the nodes that were asked for, by NUMA entry."""
        self._offers: dict[int, int] = {}
        self._planned, self._goes = dict(rest.arrivals), rest.goes
        self._arrivals: dict[str, list[Span]] = {}
        """Of the targets that were asked for; what runs counts from the start."""
        inventory = given.inventory
        self._apart = {g.id for g in inventory.groups if g.policy in ("anti-affinity", "soft-anti-affinity")}
        self._hard = {g.id: g.per_node for g in inventory.groups if g.per_node is not None}
        """How many members of each group one node may have, where that is bounded."""
        self._where: dict[str, str] = {}
        """Where those end that were looked at since."""
        self._members: dict[str, Counter[str]] = {}
        """Members of the groups that were asked for, by where they end."""
        self._roomy: dict[Need, list[tuple[float, str]]] = {}
        self._kinds: dict[str, Kind] = {}

    def runs(self, instance: Instance, move: Move, span: Span) -> None:
        """The move is under way."""
        self._take(instance, move.target, entries(move, instance), 1)
        self._spans(move.target).append(span)

    def too_full(self) -> set[str]:
        """Targets that are to take more than they have."""
        return {name for name in self._planned.keys() | self._arrivals.keys() if name in self.ready_s and self.overfull(name)}

    def overfull(self, name: str) -> bool:
        """Whether the node is to take more than it has."""
        guard = self._sums.guard
        return any([free & guard != guard for free in self._there(name)])  # noqa: C419 - two or four: a list is quicker

    def crowded(self, instance: Instance, name: str) -> bool:
        """Whether more members of one of its groups end there than the group allows on one node."""
        return any(group in self._hard and self._in(group)[name] > self._hard[group] for group in instance.groups)

    def nowhere(self, instance: Instance) -> None:
        """The instance does not go where it was to go, which takes none."""
        self._ends_on(instance, NOWHERE)

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
            cells = self._fitting(self._need(instance), name)
            if len(cells) >= instance.numa_span and name != origin.id and self._takes(instance, origin, name, span):
                yield name, tuple(sorted(cells, key=lambda cell: self._left(name, cell))[: instance.numa_span])

    def _left(self, name: str, cell: int) -> float:
        return self._sums.total(self._there(name)[cell])

    def _takes(self, instance: Instance, origin: Node, name: str, span: Span) -> bool:
        if sum(start < span[1] - SLACK and span[0] < end - SLACK for start, end in self._spans(name)) >= self._per_node:
            return False
        if any(group in self._hard and self._in(group)[name] >= self._hard[group] for group in instance.groups):
            return False
        if not self._reserve.spares(name, span[0]):
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
        need = self._need(instance)
        found = self._roomy.get(need)
        if found is None:
            # What has no room for less has none for this.
            less = [other for other in self._roomy if other[0] <= need[0] and self._sums.within(other[1], need[1])]
            lists = [self._roomy[other] for other in less]
            there = min(lists, key=len) if lists else sorted((at, name) for name, at in self.ready_s.items())
            found = self._roomy[need] = [*self._roomy_of(there, need)]
        return tuple(found)

    def _roomy_of(self, there: Sequence[tuple[float, str]], need: Need) -> Iterator[tuple[float, str]]:
        span, wanted, guard, known = *need, self._sums.guard, self._free
        for one in there:
            cells = known.get(one[1]) or self._there(one[1])
            fitting = 0
            for free in cells:
                fitting += (free - wanted) & guard == guard
            if fitting >= span:
                yield one

    def _need(self, instance: Instance) -> Need:
        return instance.numa_span, self._sums.of(instance.demand)

    def _fitting(self, need: Need, name: str) -> list[int]:
        wanted, guard = need[1], self._sums.guard
        return [number for number, free in enumerate(self._there(name)) if (free - wanted) & guard == guard]

    def _there(self, name: str) -> list[int]:
        """What is free on the node in the end, by NUMA entry."""
        there = self._free.get(name)
        if there is not None:
            return there
        given, sums, rest = self._given, self._sums, self._rest
        free = [*map(self._entry, given.inventory.node_by_id[name].numa)]
        for number in rest.coming.get(name, ()):
            amounts, where = rest.amounts[number], given.so_far.entries[number]
            for entry in (where,) if where.__class__ is int else self._entries(number):
                if entry < len(free):
                    free[entry] -= amounts
        row = self._rows.get(name)
        stays = given.inventory.instances_by_node.get(name, ()) if row is None else [instance for instance, _ in row.stays]
        for instance in stays:
            values = instance.__dict__
            demand, where = values["demand"], values["numa_cell"]
            found = sums.known.get(id(demand))
            amounts = sums.of(demand) if found is None else found[0]
            for entry in (where,) if where.__class__ is int else instance.cells:
                free[entry] -= amounts
        self._free[name] = free
        return free

    def _entry(self, offers: Mapping[str, float]) -> int:
        """What an entry that offers so much has to give; few offer something of their own."""
        found = self._offers.get(id(offers))
        if found is None:  # the inventory keeps it, so that no other one gets its number
            found = self._offers[id(offers)] = self._sums.free(offers, self._given.campaign.spec.waves.max_fill)
        return found

    def _entries(self, number: int) -> tuple[int, ...]:
        move = self._given.parent.moves[number]
        return entries(move, self._given.inventory.instance_by_id[move.instance])

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
        free, amounts = self._there(name), sign * self._sums.of(instance.demand)
        for entry in cells:
            free[entry] -= amounts

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


def _holds(there: Sequence[tuple[float, str]], entry: tuple[float, str]) -> bool:
    number = bisect_left(there, entry)
    return number < len(there) and there[number] == entry
