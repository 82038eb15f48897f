"""Groups of nodes that a campaign upgrades one after the other: a canary first, the rest when it has proved itself.

They order the scope and do not narrow it. A node belongs to the first group, in the document's order, that takes it; nodes
that no group takes come last, after all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from escalator.model.document import DnsLabel, Model, SeveralError
from escalator.model.select import Select

MOST_GROUPS = 100
"""More than that is no order that people oversee."""


class Sample(Model):
    """So many of the nodes that a group selects: by number, or in percent, rounded down and at least one."""

    count: Annotated[int, Field(ge=1)] | None = None
    percent: Annotated[float, Field(gt=0, le=100)] | None = None
    spread: Literal["rack", "az", "aggregate"] | None = None
    """Over what the sample is spread: as many racks, zones or aggregates as there are before a second node of one."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.count is None) == (self.percent is None):
            raise ValueError("either count or percent is expected")
        return self

    def size(self, nodes: int) -> int:
        """How many of so many nodes."""
        if self.count is not None:
            return self.count
        return max(1, floor(nodes * (self.percent or 0.0) / 100))


class Success(Model):
    """What a group has to reach before the next one begins. Nodes that a person skipped are left out of the count."""

    min_percent: Annotated[float, Field(ge=0, le=100)] = 100.0
    max_failed: Annotated[int, Field(ge=0)] = 0


class NodeGroup(Model):
    """One part of the scope."""

    name: DnsLabel
    after: tuple[DnsLabel, ...] = ()
    """Groups that have to be through before this one begins."""
    select: Select | None = None
    """Which nodes of the scope; null = all that no earlier group has."""
    sample: Sample | None = None
    soak_s: Annotated[float, Field(ge=0, le=30 * 86400)] = 0.0
    """How long it is watched after its last node before those after it begin, by the clock on the wall."""
    success: Success | None = None
    """Null = for a group that others come after, every node; else what `failure` says alone."""


def check_groups(groups: Sequence[NodeGroup]) -> None:
    """Raise ValueError when names are taken twice, unknown, or wait for one another."""
    names = [group.name for group in groups]
    if len(names) > MOST_GROUPS:
        raise ValueError(f"at most {MOST_GROUPS} groups are expected")
    twice = sorted({name for name in names if names.count(name) > 1})
    found = [((), f"{name} is the name of two groups") for name in twice]
    for group in groups:
        unknown = sorted(set(group.after) - set(names))
        found += [((), f"{group.name} is after {name}, which is no group") for name in unknown]
    if found:
        raise SeveralError(found)
    before = {group.name: set(group.after) for group in groups}
    while free := [name for name, first in before.items() if not first]:
        for name in free:
            del before[name]
        for first in before.values():
            first.difference_update(free)
    if before:
        raise ValueError(f"{', '.join(sorted(before))} wait for one another")


def earlier(groups: Sequence[NodeGroup]) -> Mapping[str, frozenset[str]]:
    """All groups that have to be through before each, those before them included."""
    after = {group.name: group.after for group in groups}
    found: dict[str, frozenset[str]] = {}

    def of(name: str) -> frozenset[str]:
        if name not in found:
            found[name] = frozenset(after[name]).union(*(of(first) for first in after[name]))
        return found[name]

    return {name: of(name) for name in after}
