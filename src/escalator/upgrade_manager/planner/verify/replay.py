"""A plan as it runs: who is where when, which node is away when. What every check reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

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
    def moves(self) -> list[Move]:
        """Moves of known instances between known nodes, by start."""
        known, nodes = self.inventory.instance_by_id, self.inventory.node_by_id
        found = [m for m in self.plan.moves if m.instance in known and m.origin in nodes and m.target in nodes]
        return sorted(found, key=lambda move: (move.start_s, move.end_s, move.instance))

    @cached_property
    def moves_of(self) -> dict[str, list[Move]]:
        """Moves of each instance, by start."""
        found: defaultdict[str, list[Move]] = defaultdict(list)
        for move in self.moves:
            found[move.instance].append(move)
        return found

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
            begins = [upgrade.start_s, *(m.start_s for m in self.departures.get(node, ()))]
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
    events = [(m.end_s, 0, m) for m in replay.departures.get(node, ()) if m.end_s <= at_s + NEAR_S]
    events += [(m.end_s, 1, m) for m in replay.arrivals.get(node, ()) if m.end_s <= at_s + NEAR_S]
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
    events = [event for start, end, what in spans for event in ((start, 1, what), (end, 0, what))]
    count = 0
    # At equal times ends come first; times as near as NEAR_S are equal.
    for at, begins, what in sorted(events, key=lambda e: (round(e[0] / NEAR_S), e[1])):
        count += 1 if begins else -1
        if begins and count > most:
            yield at, count, what
