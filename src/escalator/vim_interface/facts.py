"""What orchestrators are told, as plain values. Times are Unix seconds; ids tell two facts of a kind apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNode:
    """When a node is planned to be out of service, its moves included."""

    node: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWindow:
    """A maintenance window with the nodes whose turn is planned in it. `end` is null where time is open."""

    start: float
    end: float | None
    nodes: tuple[PlannedNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """What a plan that is followed from now on has in mind."""

    campaign: str
    plan: str
    windows: tuple[PlannedWindow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityTaken:
    """Nothing new is placed on a node. `hold` is the same until its capacity is given back."""

    campaign: str
    node: str
    hold: str
    zone: str | None = None
    capacity: Mapping[str, float] = field(default_factory=dict)
    """All that the node has, by name of the resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityReturned:
    """Escalator holds the node no more. Who was not told that it was taken is not told of this."""

    campaign: str
    node: str
    hold: str
    zone: str | None = None
    capacity: Mapping[str, float] = field(default_factory=dict)
    in_service: bool = True
    """False when somebody else has disabled it in the meantime."""
    upgraded: bool | None = None
    """Whether its new software is proved; null when a person put it back by hand."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What it runs now, by layer, as far as that is known."""
    reason: str = ""
    percent: int | None = None
    """Share of the campaign's nodes whose turn is over, this one's included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An instance has changed its place. `move` is one attempt to move it; `kind` is `live` or `cold`."""

    campaign: str
    move: str
    instance: str
    origin: str
    target: str
    kind: str
    healthy: bool = True
    """Whether it is in the state it was in before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """An instance that stays on its node was stopped for the node's turn, or runs again. `stop` is the same for both.

    Who was not told that it was stopped is not told that it runs again.
    """

    campaign: str
    node: str
    stop: str
    instance: str
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """The campaign is in another state; `number` counts its changes."""

    campaign: str
    number: int
    state: str
    reason: str = ""
    percent: int | None = None
    """Share of the campaign's nodes whose turn is over."""


Fact = Windows | CapacityTaken | CapacityReturned | Moved | Switched | StateChange
