"""The two doors, as pure decisions over the rows that their transaction sees.

*Node start* lets a node out of service; *impact start* lets one instance be impacted (a move, or the upgrade of the
node under it).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from escalator.model.campaign import Migration
from escalator.model.counting import counted
from escalator.storage.port import ImpactRow, NodeSlot


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """What a group allows: how many members at once, and how far apart impacts have to be, seconds."""

    group: str
    max_impacted: int
    recovery_s: float
    down: frozenset[str] = frozenset()
    """Ids of members that are impacted because their node is down now."""


@dataclass(frozen=True, slots=True)
class SpreadLimit:
    """At most `most` nodes of one value (a rack, a zone, an aggregate) out of service at once; `of` gives each node's values."""

    by: str
    most: int
    of: Mapping[str, tuple[str, ...]]
    allows: str = "waves.spread allows"
    """Who says so, for the refusal."""
    parts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By node and value, the part that the node is in: nodes of one part are no hindrance to one another."""

    def hinder(self, node: str, value: str, out: Collection[str]) -> int:
        """How many of those that are out of service share the value with the node, and not its part."""
        part = self.parts.get(node, {}).get(value)
        there = [other for other in out if value in self.of.get(other, ())]
        return sum(part is None or self.parts.get(other, {}).get(value) != part for other in there)


class NodeDoor:
    """Admit a node while fewer than `limit` nodes of the scope are out of service for any reason, and no spread rule forbids it.

    After a refusal of its own `refusal` is why, and `full` says whether it would have been the same for every node.
    """

    def __init__(self, limit: int, unavailable: Collection[str], node: str, spread: Sequence[SpreadLimit] = ()) -> None:
        self._limit = limit
        self._unavailable = unavailable
        self._node = node
        self._spread = spread
        self.full = False
        self.refusal: str | None = None

    def __call__(self, slots: Sequence[NodeSlot]) -> str | None:
        """The reason to refuse, or None."""
        self.refusal = self._refused(slots)
        return self.refusal

    def _refused(self, slots: Sequence[NodeSlot]) -> str | None:
        out = {slot.node for slot in slots} | set(self._unavailable)
        out.discard(self._node)
        if len(out) >= self._limit:
            self.full = True
            return f"{counted(len(out), 'node is', 'nodes are')} out of service, max_unavailable is {self._limit}"
        for rule in self._spread:
            for value in rule.of.get(self._node, ()):
                there = rule.hinder(self._node, value, out)
                if there >= rule.most:
                    are = counted(there, f"node of {rule.by} {value} is", f"nodes of {rule.by} {value} are")
                    return f"{are} out of service, {rule.allows} {rule.most}"
        return None


class ImpactDoor:
    """Admit an impact while its groups' limits and the bounds on migration hold.

    After a refusal, `key` names what has to change before another try is worth it, and `retry_s` after how long it is
    so in any case (null = only a change helps). `blockers` tells who stands in the way: others than before mean that things
    go on.
    """

    def __init__(self, row: ImpactRow, limits: Sequence[GroupLimit], bounds: Migration, now: float) -> None:
        self._row = row
        self._limits = limits
        self._bounds = bounds
        self._now = now
        self.key = ""
        self.retry_s: float | None = None
        self.recovers: tuple[str, float] | None = None
        """A group that recovers, and until when, Unix seconds: what is shown for a while counts no seconds down."""
        self.blockers: frozenset[str] = frozenset()

    def __call__(self, rows: Sequence[ImpactRow]) -> str | None:
        """The reason to refuse, or None."""
        others = [r for r in rows if r.id != self._row.id]
        for limit in self._limits:
            refusal = self._group(limit, [r for r in others if limit.group in r.groups])
            if refusal is not None:
                self.key = group_key(limit.group)
                return refusal
        return self._migration(others) if self._row.target else None

    def _group(self, limit: GroupLimit, rows: Sequence[ImpactRow]) -> str | None:
        impacted = ({r.instance for r in rows if r.ended_at is None} | limit.down) - {self._row.instance}
        if len(impacted) + 1 > limit.max_impacted:
            self.blockers = frozenset(impacted)
            return f"group {limit.group}: {len(impacted)} of at most {limit.max_impacted} impacted"
        ends = [r.ended_at for r in rows if r.ended_at is not None]
        left = max(ends, default=-limit.recovery_s) + limit.recovery_s - self._now
        if ends and left > 0:
            self.retry_s = left
            self.recovers = (limit.group, self._now + left)
            return f"group {limit.group} recovers for another {ceil(left)} s"
        return None

    def _migration(self, rows: Sequence[ImpactRow]) -> str | None:
        moves = [r for r in rows if r.ended_at is None and r.target]
        self.blockers = frozenset(r.id for r in moves)
        bounds, row = self._bounds, self._row
        if sum(r.node == row.node for r in moves) >= bounds.per_node:
            self.key = node_key(row.node)
            return f"{row.node} has {counted(bounds.per_node, 'departure')} under way"
        if sum(r.target == row.target for r in moves) >= bounds.per_node:
            self.key = node_key(row.target or "")
            return f"{row.target} has {counted(bounds.per_node, 'arrival')} under way"
        if len(moves) >= bounds.total:
            self.key = TOTAL_KEY
            return f"{counted(len(moves), 'move is', 'moves are')} under way, migration.total is {bounds.total}"
        return None


TOTAL_KEY = "moves"
"""What changes when any move ends."""


def group_key(group: str) -> str:
    """What changes when an impact on a group ends."""
    return f"group/{group}"


def node_key(node: str) -> str:
    """What changes when a move from or to a node ends."""
    return f"node/{node}"


def keys_of(row: ImpactRow) -> tuple[str, ...]:
    """Everything that changes when this impact ends."""
    nodes = (node_key(row.node), node_key(row.target), TOTAL_KEY) if row.target else ()
    return (*map(group_key, row.groups), *nodes)
