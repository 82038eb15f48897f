"""What is on nodes, counted by sort: bounds ask for sums over a hundred thousand instances that come in a few sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from escalator.upgrade_manager.planner.cloud import Cloud, Guest, Shape


class Sort(NamedTuple):
    """What instances have in common that the bounds ask for."""

    shape: Shape
    lasts_s: float
    """Duration of a move."""
    leaves: bool


Counts = Mapping[Sort, int]
"""How many of each sort are on a node."""


def counts_of(guests: Sequence[Guest]) -> Counts:
    """How many of each sort these are."""
    found: dict[tuple[Shape, float, bool], int] = {}
    for guest in guests:
        sort = (guest.shape, guest.lasts_s, guest.leaves)
        found[sort] = found.get(sort, 0) + 1
    return {Sort(*sort): count for sort, count in found.items()}


def counted(cloud: Cloud) -> Sequence[Counts]:
    """How many of each sort are on each node."""
    return [counts_of(guests) for guests in cloud.guests]


def takes_of(cloud: Cloud, resource: int) -> Mapping[Shape, float]:
    """What each shape takes of the resource."""
    return {shape: shape.takes(resource) for shape in cloud.takes}
