"""One look at every move that finds those which surely break none of the rules that a move alone can break.

A plan may have a hundred thousand moves, and next to all are of one kind: an instance leaves the node that it is on before that
is upgraded, for a node that is upgraded by then. What is told here of such a move needs no check of its own any more; every other
one is doubtful, and is looked at check by check. Where a check has a tolerance, here it is half of that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from escalator.model.inventory import Instance, Requires
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.verify.replay import NEAR_S, Replay

ANYTHING = Requires()
HALF_S = NEAR_S / 2
RESOURCES = 16
"""Of a NUMA entry that are added up here; a demand for more kinds is doubtful."""

Span = tuple[float, float, str]
Target = tuple[float, int, str | None]
"""From when on a node takes instances, how many NUMA entries it has, and its Nova cell."""
Values = Mapping[str, Any]
"""What a model keeps: a look at it is quicker than at the model's attributes."""


@dataclass(slots=True)
class Look:
    """What the look has found."""

    doubtful: list[tuple[Move, Instance]] = field(default_factory=list)
    unclear: set[str] = field(default_factory=set)
    """Nodes at either end of a doubtful move."""
    left: dict[str, int] = field(default_factory=dict)
    """How many different instances have left each node when its upgrade begins, by the other moves."""
    loads: dict[str, list[float]] = field(default_factory=dict)
    """What the other moves bring to each node: of each NUMA entry so much of each of RESOURCES."""
    places: dict[str, int] = field(default_factory=dict)
    """The place of each resource there."""
    overlap_from: set[str] = field(default_factory=set)
    """Nodes that one instance leaves before the one ahead of it has."""
    overlap_to: set[str] = field(default_factory=set)
    """Nodes at which one instance arrives before the one ahead of it has."""
    spans: defaultdict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    """Start, end and instance of every move, by group."""
    early: bool = False
    """Whether any move begins before a lead time of the campaign or its instance, whenever that was decided."""


def look(replay: Replay) -> Look:
    """Look at every move, in order of their starts."""
    return _Looking(replay).run()


def all_left(replay: Replay, seen: Look, node: str) -> bool:
    """Whether surely nothing is on the node when its upgrade begins, and nothing has arrived by then."""
    there = len(replay.inventory.instances_by_node.get(node, ()))
    return node in replay.upgrades and node not in seen.unclear and seen.left.get(node, 0) == there


class _Looking:
    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._found = Look()
        self._targets = _targets(replay)
        self._turns = {node: upgrade.start_s + HALF_S for node, upgrade in replay.upgrades.items()}
        self._cells = {node.id: node.nova_cell for node in replay.inventory.nodes}
        self._shapes: dict[tuple[int, int, str], tuple[float, tuple[tuple[int, float], ...], Values]] = {}
        """Duration and amounts, by the demand's own number, entries and kind; it is kept, so that its number stays its own."""
        self._asks_nothing: list[Requires] = []

    def run(self) -> Look:
        found, free_from, free_to = self._found, dict[str, float](), dict[str, float]()
        again, at_s, targets, left = self._replay.journeys.again, self._replay.plan.at_s, self._targets, self._found.left
        lead_s = self._replay.campaign.spec.workloads.notify.lead_time_s
        for start_s, end_s, name, _, move, instance in self._replay.steps:
            values, its = move.__dict__, instance.__dict__
            origin, target = values["origin"], values["target"]
            if start_s < free_from.get(origin, -inf) and _before(start_s, free_from[origin]):
                found.overlap_from.add(origin)
            if start_s < free_to.get(target, -inf) and _before(start_s, free_to[target]):
                found.overlap_to.add(target)
            free_from[origin] = free_to[target] = end_s
            if start_s < lead_s or start_s < its["lead_s"]:
                found.early = True
            for group in its["groups"]:
                found.spans[group].append((start_s, end_s, name))
            to = targets.get(target)
            # It begins where it is, after the plan does, and goes to a node that is upgraded by then.
            here = its["node"] == origin and start_s >= at_s and to is not None and start_s >= to[0] and name not in again
            if here and end_s <= self._turns.get(origin, -inf) and self._may(values, its) and self._fits(values, instance, to):
                left[origin] = left.get(origin, 0) + 1
            else:
                found.doubtful.append((move, instance))
                found.unclear |= {origin, target}
        return found

    def _may(self, values: Values, its: Values) -> bool:
        """Whether the instance may move that way, to that node if it has room."""
        if its["state"] != "active" or its["blocked"] is not None or values["extra"]:
            return False
        origin, target, can = values["origin"], values["target"], its["migration"]
        if (can != "live" and (can != "cold" or values["kind"] != "cold")) or origin == target:
            return False
        return self._cells[origin] == self._cells[target] and self._any_node(its["requires"])

    def _any_node(self, needs: Requires) -> bool:
        """Whether it asks nothing of its node; next to all share what says so."""
        if any(needs is one for one in self._asks_nothing):
            return True
        if needs != ANYTHING:
            return False
        if len(self._asks_nothing) < RESOURCES:
            self._asks_nothing.append(needs)
        return True

    def _fits(self, values: Values, instance: Instance, target: Target | None) -> bool:
        """Whether it lasts as estimated and goes to NUMA entries that there are; if so, what it brings is counted."""
        demand, span, where = instance.demand, instance.numa_span, values["numa_cell"]
        key = id(demand), span, values["kind"]
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._read(instance, values["kind"])
        lasts_s, amounts, _ = shape
        seconds, count = values["end_s"] - values["start_s"], 0 if target is None else target[1]
        entries = (where,) if where.__class__ is int else where
        if seconds <= NEAR_S or not -HALF_S <= seconds - lasts_s <= HALF_S or entries is None or len(entries) != span:
            return False
        if span > 1 and len(set(entries)) != span:
            return False
        load = self._found.loads.get(values["target"])
        if load is None:
            load = self._found.loads[values["target"]] = [0.0] * (count * RESOURCES)
        if not all(0 <= entry < count for entry in entries):
            return False
        for entry in entries:
            for place, amount in amounts:
                load[entry * RESOURCES + place] += amount
        return True

    def _read(self, instance: Instance, kind: str) -> tuple[float, tuple[tuple[int, float], ...], Values]:
        """Duration and amounts; no move is as long where there are too many resources."""
        places = self._found.places
        pairs = tuple((places.setdefault(name, len(places)), amount) for name, amount in instance.demand.items())
        lasts_s = self._replay.campaign.spec.estimates.move_s(instance.memory_gib, kind)
        return lasts_s if len(places) <= RESOURCES else inf, pairs, instance.demand


def _before(start_s: float, end_s: float) -> bool:
    """Whether something begins before something else ends; times as near as NEAR_S are equal, as where moves are counted."""
    return round(start_s / NEAR_S) < round(end_s / NEAR_S)


def _targets(replay: Replay) -> dict[str, Target]:
    """Nodes that take instances, of those that are upgraded before or by this plan."""
    found: dict[str, Target] = {}
    for name in replay.scope - replay.out:
        node, upgrade = replay.node(name), replay.upgrades.get(name)
        if "compute" not in node.roles or (node.progress == "done") != (upgrade is None):
            continue
        if upgrade is None or upgrade.end_s - upgrade.start_s > 2 * NEAR_S:
            found[name] = -inf if upgrade is None else upgrade.end_s - HALF_S, len(node.numa), node.nova_cell
    return found
