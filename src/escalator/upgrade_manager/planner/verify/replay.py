"""A plan as it runs: who is where when, which node is away when. What every check reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Impact, Move, Plan, Upgrade

NEAR_S = 1e-6
"""Times as near as this are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that a plan or a run does against the rules."""

    code: Code
    message: str
    time_s: float | None = None
    node: str | None = None
    instance: str | None = None
    group: str | None = None


Step = tuple[float, float, str, int, Move, Instance]
"""A move: its start and end, its instance's id, its place in the plan; and move and instance themselves."""


class Members(NamedTuple):
    """Members of a group that bounds how many of them share a place."""

    here: Mapping[str, str]
    """The node of each, at the start."""
    ends: Sequence[str | None]
    """In the same order: where each goes in the end; null for who does not move."""

    @property
    def there(self) -> list[str]:
        """The node of each, in the end."""
        return [node if end is None else end for node, end in zip(self.here.values(), self.ends, strict=True)]


class Journeys(NamedTuple):
    """Moves by instance. Next to all move once, so only the others have a list."""

    last: Mapping[str, str]
    """Where each instance ends that moves."""
    again: Mapping[str, Sequence[Move]]
    """Moves, by start, of each instance that moves more than once."""
    apart: Mapping[str, Members]
    """Groups that want their members apart, or bound how many of them share a node."""


@dataclass(frozen=True)
class Replay:
    """One plan on one inventory by one campaign. `managed`: instances that a VNF manager speaks for."""

    inventory: Inventory
    campaign: Campaign
    plan: Plan
    managed: frozenset[str] = frozenset()

    @cached_property
    def scope(self) -> frozenset[str]:
        """Nodes of the campaign."""
        return frozenset(node.id for node in self.inventory.nodes if self.campaign.spec.scope.includes(node))

    @cached_property
    def out(self) -> frozenset[str]:
        """Nodes that are out of service for reasons of their own."""
        return frozenset(
            node.id
            for node in self.inventory.nodes
            if (node.state == "down" or node.maintenance) and node.id not in self.under_way
        )

    @cached_property
    def under_way(self) -> frozenset[str]:
        """Nodes whose turn had begun when the plan was made."""
        return frozenset(node.id for node in self.inventory.nodes if node.progress in ("upgrading", "draining"))

    @cached_property
    def upgrades(self) -> dict[str, Upgrade]:
        """The upgrade of each known node; of several the last."""
        return {u.node: u for u in self.plan.upgrades if u.node in self.inventory.node_by_id}

    @cached_property
    def steps(self) -> list[Step]:
        """Moves of known instances between known nodes, by start.

        There may be a hundred thousand: what every check asks for is at hand.
        """
        known, nodes = self.inventory.instance_by_id, self.inventory.node_by_id
        found: list[Step] = []
        for number, move in enumerate(self.plan.moves):
            values = move.__dict__
            instance = known.get(values["instance"])
            if instance is not None and values["origin"] in nodes and values["target"] in nodes:
                found.append((values["start_s"], values["end_s"], values["instance"], number, move, instance))
        found.sort()  # no two have the same number, so that what stands behind it is never compared
        return found

    @cached_property
    def moves(self) -> list[Move]:
        """The same moves alone."""
        return [step[4] for step in self.steps]

    @cached_property
    def journeys(self) -> Journeys:
        """Which way each instance goes."""
        last = {step[2]: step[4].target for step in self.steps}
        found: defaultdict[str, list[Move]] = defaultdict(list)
        for move in self.moves if len(last) < len(self.moves) else ():
            found[move.instance].append(move)
        apart = {}
        for group in self.inventory.groups:
            if group.per_node is not None or group.policy == "soft-anti-affinity":
                here = {member.id: member.node for member in self.inventory.members.get(group.id, ())}
                apart[group.id] = Members(here, [last.get(name) for name in here])
        return Journeys(last, {name: moves for name, moves in found.items() if len(moves) > 1}, apart)

    @cached_property
    def departures(self) -> dict[str, list[Move]]:
        """Moves from each node."""
        found: defaultdict[str, list[Move]] = defaultdict(list)
        for move in self.moves:
            found[move.origin].append(move)
        return found

    @cached_property
    def arrivals(self) -> dict[str, list[Move]]:
        """Moves to each node."""
        found: defaultdict[str, list[Move]] = defaultdict(list)
        for move in self.moves:
            found[move.target].append(move)
        return found

    @cached_property
    def impacts(self) -> list[Impact]:
        """Impacts of known instances on known nodes."""
        known, nodes = self.inventory.instance_by_id, self.inventory.node_by_id
        return [i for i in self.plan.impacts if i.instance in known and i.node in nodes]

    @cached_property
    def away(self) -> dict[str, tuple[float, float]]:
        """When each upgraded node is out of service: from its first departure, else its upgrade, to the upgrade's end."""
        found = {}
        for node, upgrade in self.upgrades.items():
            first = self.departures.get(node, ())[:1]  # they are in order
            begins = [upgrade.start_s, *(move.start_s for move in first)]
            # Departures that are over are not repeated: the node is away all the same.
            begins += [self.plan.at_s] if node in self.under_way else []
            found[node] = (min(begins), upgrade.end_s)
        return found

    def node(self, name: str) -> Node:
        """The node of that name."""
        return self.inventory.node_by_id[name]


def present(replay: Replay, node: str, at_s: float) -> list[Instance]:
    """Instances on the node at that time, moves that have ended by then counted."""
    here = {i.id: i for i in replay.inventory.instances_by_node.get(node, ())}
    until = at_s + NEAR_S
    gone = [move for move in replay.departures.get(node, ()) if move.end_s <= until]
    come = [move for move in replay.arrivals.get(node, ()) if move.end_s <= until]
    if not come:
        for move in gone:
            here.pop(move.instance, None)
        return [here[name] for name in sorted(here)]
    events = [(move.end_s, 0, move) for move in gone] + [(move.end_s, 1, move) for move in come]
    for _, arrives, move in sorted(events, key=lambda event: event[:2]):
        if arrives:
            here[move.instance] = replay.inventory.instance_by_id[move.instance]
        else:
            here.pop(move.instance, None)
    return [here[name] for name in sorted(here)]


def upgraded_by(replay: Replay, node: str, at_s: float) -> bool:
    """Whether the node runs the new software then."""
    if replay.node(node).progress == "done":
        return True
    upgrade = replay.upgrades.get(node)
    return upgrade is not None and upgrade.end_s <= at_s + NEAR_S


def cells(where: int | tuple[int, ...] | None, span: int) -> tuple[int, ...]:
    """Indexes of NUMA entries as a document writes them."""
    if where is None:
        return tuple(range(span))
    return (where,) if isinstance(where, int) else tuple(where)


def too_many(spans: Iterable[tuple[float, float, str]], most: int) -> Iterator[tuple[float, int, str]]:
    """Each moment at which something begins and more than `most` are there then: time, how many, what began."""
    there = [*spans]
    if len(there) <= most:
        return
    # At equal times ends come first; times as near as NEAR_S are equal.
    begins = sorted((round(span[0] / NEAR_S), number) for number, span in enumerate(there))
    ends = sorted(round(span[1] / NEAR_S) for span in there)
    ended, last = 0, len(ends)
    for count, (tick, number) in enumerate(begins, start=1):
        while ended < last and ends[ended] <= tick:
            ended += 1
        if count - ended > most:
            start, _, what = there[number]
            yield start, count - ended, what
