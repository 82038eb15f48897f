"""The two doors, as pure decisions over the rows that their transaction sees.

*Node start* lets a node out of service; *impact start* lets one instance be impacted (a move, or the upgrade of the
node under it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from escalator.model.campaign import Migration
from escalator.storage.port import ImpactRow, NodeSlot


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """What a group allows: how many members at once, and how far apart impacts have to be, seconds."""

    group: str
    max_impacted: int
    recovery_s: float
    down: int = 0
    """Members that are impacted already because their node is down."""


def node_door(limit: int, unavailable: Mapping[str, str], node: str) -> Callable[[Sequence[NodeSlot]], str | None]:
    """Admit a node while fewer than `limit` nodes of the scope are out of service for any reason."""

    def decide(slots: Sequence[NodeSlot]) -> str | None:
        out = {slot.node for slot in slots} | set(unavailable)
        out.discard(node)
        if len(out) < limit:
            return None
        return f"{len(out)} nodes are out of service, max_unavailable is {limit}"

    return decide


def impact_door(
    row: ImpactRow, limits: Sequence[GroupLimit], bounds: Migration, now: float
) -> Callable[[Sequence[ImpactRow]], str | None]:
    """Admit an impact while its groups' limits and the bounds on migration hold."""

    def decide(rows: Sequence[ImpactRow]) -> str | None:
        others = [r for r in rows if r.id != row.id]
        return _groups(row, limits, others, now) or (_migration(row, bounds, others) if row.target else None)

    return decide


def _groups(row: ImpactRow, limits: Sequence[GroupLimit], rows: Sequence[ImpactRow], now: float) -> str | None:
    for limit in limits:
        mine = [r for r in rows if limit.group in r.groups]
        impacted = {r.instance for r in mine if r.ended_at is None} - {row.instance}
        if len(impacted) + limit.down + 1 > limit.max_impacted:
            return f"group {limit.group}: {len(impacted) + limit.down} of at most {limit.max_impacted} impacted"
        recovering = [r for r in mine if r.ended_at is not None and now - r.ended_at < limit.recovery_s]
        if recovering:
            return f"group {limit.group} recovers until {limit.recovery_s:g} s after its last impact"
    return None


def _migration(row: ImpactRow, bounds: Migration, rows: Sequence[ImpactRow]) -> str | None:
    moves = [r for r in rows if r.ended_at is None and r.target]
    if len(moves) >= bounds.total:
        return f"{len(moves)} moves are under way, migration.total is {bounds.total}"
    if sum(r.node == row.node for r in moves) >= bounds.per_node:
        return f"{row.node} has {bounds.per_node} departures under way"
    if sum(r.target == row.target for r in moves) >= bounds.per_node:
        return f"{row.target} has {bounds.per_node} arrivals under way"
    return None
