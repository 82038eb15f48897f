"""How far apart the members of groups end: counted once for the whole rest of the plan, and again for what was mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter

from escalator.model.inventory import Group, Inventory
from escalator.model.plan import Closer, Level

_ID, _NODE = itemgetter("id"), itemgetter("node")
APART = ("anti-affinity", "soft-anti-affinity")


class Ends:
    """Where members of groups end that want them apart, or bound how many share a node. `goes`: who goes where."""

    def __init__(self, inventory: Inventory, goes: dict[str, str]) -> None:
        self._inventory, self._goes = inventory, goes
        self._places = _places(inventory)
        self._watched: dict[str, tuple[Level, ...]] = {}
        self._closer: dict[str, tuple[Closer, ...]] = {}
        self.crowded: set[str] = set()
        """Nodes on which more members of a group would end than it allows on one."""
        self._look_at_all()

    def again(self, goes: Mapping[str, str]) -> None:
        """These instances go elsewhere than was thought."""
        self._goes.update(goes)
        known, groups = self._inventory.instance_by_id, self._inventory.group_by_id
        for name in {name for instance in goes for name in known[instance].groups}:
            if _matters(groups[name]):
                self._look(groups[name])

    @property
    def groups(self) -> int:
        """How many groups are watched."""
        return len(self._watched)

    @property
    def levels(self) -> frozenset[Level]:
        """Levels at which any group is watched."""
        return frozenset(level for levels in {*self._watched.values()} for level in levels)

    @property
    def closer(self) -> tuple[Closer, ...]:
        """Groups that end closer together than they are."""
        rows = (row for rows in self._closer.values() for row in rows)
        return tuple(sorted(rows, key=lambda row: (row.group, row.level)))

    def _look_at_all(self) -> None:
        """As `_look` at each group, in one go: next to all of them have each member on a node of its own, and move."""
        members = self._inventory.members
        groups = [group for group in self._inventory.groups if _matters(group) and group.id in members]
        # A look at what a model keeps is quicker than at its attributes, and there may be a hundred thousand members.
        values = [*map(vars, chain.from_iterable(members[group.id] for group in groups))]
        here: list[str] = [*map(_NODE, values)]
        ends = [*map(self._goes.get, map(_ID, values), here)]
        apart: list[tuple[str, bool, int, int]] = []
        last = 0
        for group in groups:
            name, policy = group.id, group.policy
            first, last = last, last + len(members[name])
            there = ends[first:last]
            if len(set(there)) < last - first:
                self._look(group)
            elif policy in APART and there != here[first:last]:
                apart.append((name, policy == "anti-affinity", first, last))
        for level, of in self._places.items():
            # No two members of a hard group share a node at any time.
            watched = [one for one in apart if not one[1]] if level == "node" else apart
            if not watched:
                continue
            was, be = [*map(of.get, here)], [*map(of.get, ends)]
            for name, _, first, last in watched:
                before, after = {*was[first:last]}, {*be[first:last]}
                if len(before) < 3 and len(before - {None}) < 2:
                    continue
                self._watched[name] = (*self._watched.get(name, ()), level)
                if len(after) < last - first or None in after:
                    closer = _row(name, level, was[first:last], be[first:last])
                    self._closer[name] = (*self._closer.get(name, ()), *closer)

    def _look(self, group: Group) -> None:
        self._watched.pop(group.id, None)
        self._closer.pop(group.id, None)
        goes, members = self._goes, self._inventory.members.get(group.id, ())
        here = [member.node for member in members]
        ends = [goes.get(member.id, member.node) for member in members]
        if here == ends:  # nobody moves
            return
        hard, most = group.policy == "anti-affinity", group.per_node
        if len(set(ends)) < len(ends):
            # A member may be told twice; then it is one all the same.
            last = {member.id: (member.node, end) for member, end in zip(members, ends, strict=True)}
            here, ends = [node for node, _ in last.values()], [end for _, end in last.values()]
            if most is not None:
                self.crowded.update(node for node, count in Counter(ends).items() if count > most)
        levels: list[Level] = []
        closer: list[Closer] = []
        for level, of in self._places.items() if group.policy in APART else ():
            # No two members of a hard group share a node at any time.
            if level == "node" and hard:
                continue
            before = {of.get(node) for node in here} - {None}
            if len(before) < 2:  # in one place nothing can come closer
                continue
            levels.append(level)
            after = {of.get(node) for node in ends} - {None}
            if len(after) < len(ends):  # else each is in a place of its own
                closer += _row(group.id, level, [of.get(node) for node in here], [of.get(node) for node in ends])
        if levels:
            self._watched[group.id] = tuple(levels)
        if closer:
            self._closer[group.id] = tuple(closer)


def _matters(group: Group) -> bool:
    return group.policy in APART or group.per_node is not None


def _places(inventory: Inventory) -> dict[Level, Mapping[str, str]]:
    """The place of each node, at each level that any node tells of."""
    racks = {node.id: node.rack for node in inventory.nodes if node.rack is not None}
    zones = {node.id: node.az for node in inventory.nodes if node.az is not None}
    levels: dict[Level, Mapping[str, str]] = {"az": zones, "rack": racks, "node": {node.id: node.id for node in inventory.nodes}}
    return {level: of for level, of in levels.items() if of}


def _count(places: Iterable[str | None]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in places:
        if place is not None:
            found[place] = found.get(place, 0) + 1
    return found


def _row(group: str, level: Level, here: Sequence[str | None], ends: Sequence[str | None]) -> list[Closer]:
    before, after = _count(here), _count(ends)
    most_before, most_after = max(before.values()), max(after.values(), default=0)
    if len(after) >= len(before) and most_after <= most_before:
        return []
    return [
        Closer(
            group=group,
            level=level,
            places_before=len(before),
            places_after=len(after),
            most_before=most_before,
            most_after=most_after,
        )
    ]
