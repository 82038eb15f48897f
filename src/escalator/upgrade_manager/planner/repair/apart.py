"""How far apart the members of groups end, counted once for the whole rest of the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from escalator.model.inventory import Inventory
from escalator.model.plan import Closer, Level
from escalator.upgrade_manager.planner.watching import Watched

APART = ("anti-affinity", "soft-anti-affinity")


def closer_at_end(inventory: Inventory, goes: Mapping[str, str]) -> tuple[list[Watched], tuple[Closer, ...]]:
    """What is watched when instances go to these nodes, and which groups end closer together than they are."""
    places = _places(inventory)
    watched: list[Watched] = []
    closer: list[Closer] = []
    for group in inventory.groups:
        members = inventory.members.get(group.id, ()) if group.policy in APART else ()
        here = {member.id: member.node for member in members}
        if goes.keys().isdisjoint(here):
            continue
        ends = [goes.get(name, node) for name, node in here.items()]
        for level, of in places.items():
            # No two members of a hard group share a node at any time.
            if level == "node" and group.policy == "anti-affinity":
                continue
            before = _count(of, here.values())
            if len(before) < 2:  # in one place nothing can come closer
                continue
            most = max(before.values())
            watched.append(Watched(group.id, level, before, most))
            after = _count(of, ends)
            if len(after) < len(before) or max(after.values(), default=0) > most:
                closer.append(_row(group.id, level, before, after))
    return watched, tuple(sorted(closer, key=lambda row: (row.group, row.level)))


def _places(inventory: Inventory) -> dict[Level, Mapping[str, str]]:
    """The place of each node, at each level that any node tells of."""
    racks = {node.id: node.rack for node in inventory.nodes if node.rack is not None}
    zones = {node.id: node.az for node in inventory.nodes if node.az is not None}
    levels: dict[Level, Mapping[str, str]] = {"az": zones, "rack": racks, "node": {node.id: node.id for node in inventory.nodes}}
    return {level: of for level, of in levels.items() if of}


def _count(of: Mapping[str, str], nodes: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in nodes:
        place = of.get(node)
        if place is not None:
            found[place] = found.get(place, 0) + 1
    return found


def _row(group: str, level: Level, before: Mapping[str, int], after: Mapping[str, int]) -> Closer:
    return Closer(
        group=group,
        level=level,
        places_before=len(before),
        places_after=len(after),
        most_before=max(before.values()),
        most_after=max(after.values(), default=0),
    )
