"""Which groups are watched for how far apart their members are: over nodes, racks and availability zones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from escalator.model.inventory import Inventory, Node
from escalator.model.plan import Level


@dataclass(frozen=True, slots=True)
class Watched:
    """A group at one level, where its members began in several places."""

    group: str
    level: Level
    start: Mapping[str, int]
    """Members in each place at the start; those on a node whose place is not told are in none."""
    most: int
    """Most of them in one place."""


_READ = itemgetter("id", "node")
"""What is asked of each member, in one look: there may be a hundred thousand."""


class Watching:
    """Groups by number, made when an instance that leaves its node names them.

    Members of a group of anti-affinity are wanted apart: their racks and zones are watched, and their nodes where it is soft
    (a hard one holds at every instant). Nobody watches a level that no node tells of, nor a group that is in one place there.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._places: dict[Level, dict[str, str]] = {"az": {}, "rack": {}}
        for node in inventory.nodes:
            for level, places in self._places.items():
                place = place_of(node, level)
                if place is not None:
                    places[node.id] = place
        self._numbers: dict[str, tuple[int, ...]] = {}
        self.watched: list[Watched] = []

    def of(self, names: Sequence[str]) -> tuple[int, ...]:
        """Numbers of what is watched for an instance in these groups."""
        found: tuple[int, ...] = ()
        for name in names:
            numbers = self._numbers.get(name)
            if numbers is None:
                numbers = self._numbers[name] = self._watch(name)
            found += numbers
        return tuple(dict.fromkeys(found)) if len(names) > 1 else found

    def _watch(self, name: str) -> tuple[int, ...]:
        policy = self._inventory.group_by_id[name].policy
        if policy not in ("anti-affinity", "soft-anti-affinity"):
            return ()
        nodes = dict(map(_READ, map(vars, self._inventory.members[name]))).values()
        found: list[int] = []
        for level, places in self._places.items():
            if places:
                found += self._add(name, level, _counted(map(places.get, nodes)))
        if policy == "soft-anti-affinity":
            found += self._add(name, "node", _counted(nodes))
        return tuple(found)

    def _add(self, name: str, level: Level, start: Mapping[str, int]) -> tuple[int, ...]:
        if len(start) < 2:  # in one place nothing can come closer
            return ()
        self.watched.append(Watched(name, level, start, max(start.values())))
        return (len(self.watched) - 1,)


def _counted(places: Iterable[str | None]) -> dict[str, int]:
    """How often each is there; those of which nobody tells are in none."""
    found: dict[str, int] = {}
    for place in places:
        if place is not None:
            found[place] = found.get(place, 0) + 1
    return found


def place_of(node: Node, level: Level) -> str | None:
    """Where the node is at that level; null when nobody tells."""
    if level == "node":
        return node.id
    return node.rack if level == "rack" else node.az
