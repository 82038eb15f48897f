"""What a search decides for one node, and the rules that it holds to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from escalator.model.plan import Closer, PlanGroup
from escalator.upgrade_manager.planner.cloud import Guest
from escalator.upgrade_manager.planner.windows import Windows


class Placed(NamedTuple):
    """An instance with the node and the cells that it goes to; `extra` when that node has its own turn later."""

    guest: Guest
    target: int
    cells: tuple[int, ...]
    extra: bool


class Timed(NamedTuple):
    """A placed instance with the time of its move."""

    placed: Placed
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One node's turn: out of service from `away_s`, upgraded from `start_s` to `end_s`."""

    node: int
    moves: tuple[Timed, ...]
    stays: tuple[Guest, ...]
    away_s: float
    start_s: float
    end_s: float
    wave: int = 1


@dataclass(frozen=True, slots=True)
class NotYet:
    """The node can have its turn at `ready_s` at the earliest (infinite: not by the clock alone), and why not now."""

    ready_s: float
    reason: str
    lacking: Guest | None = None
    """The first instance that found no room."""
    apart: str = ""
    """The group for whose spread it waits, where there is room for it that would leave the group's members closer together."""
    group: int | None = None
    """The group whose limit, recovery or lead time binds."""
    needs_s: float = 0.0
    """Length of a window that would hold the turn, where none is that long; zero for anything else."""


@dataclass(frozen=True, slots=True)
class Domain:
    """At most `most` nodes of one value (a rack, a zone, an aggregate) out of service at once. `of` gives each node's values."""

    by: str
    most: int
    of: Sequence[tuple[str, ...]]
    down: dict[str, int] = field(default_factory=dict)
    """Nodes of each value that are out of service anyway."""
    parts: Sequence[Mapping[str, str]] = ()
    """For each node, the part of a value that it is in: nodes of one part are no hindrance to one another. Empty: no parts."""

    def full(self, node: int, out: Mapping[str, int]) -> str | None:
        """The first value of the node that has no place for it while these are out of service; null when there is place."""
        for value in self.of[node]:
            part = self.parts[node].get(value) if self.parts else None
            if out[value] - (0 if part is None else out[part]) >= self.most:
                return value
        return None

    def counted(self, node: int) -> tuple[str, ...]:
        """What is counted when the node goes."""
        return (*self.of[node], *self.parts[node].values()) if self.parts else self.of[node]


@dataclass(frozen=True, slots=True)
class Staging:
    """What a search has to hold to beside bounds: groups and waves that go one after the other."""

    groups: tuple[PlanGroup, ...] = ()
    wave_soak_s: float | None = None
    """Pause between waves; null when waves overlap."""
    masters: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """For each current master of a cluster, the members that go before it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The campaign's bounds in numbers."""

    width: int
    """Nodes out of service at once, those counted off that are so anyway."""
    per_node: int
    total: int
    lead_s: float
    max_fill: float
    extra_moves: int
    reserve: int = 0
    domains: tuple[Domain, ...] = ()
    windows: Windows = field(default_factory=Windows)
    staging: Staging = field(default_factory=Staging)
    p90: float = 1.0
    rollback_s: float = 0.0
    at_s: float = 0.0

    def needs_s(self, away_s: float, end_s: float) -> float:
        """Time that a turn may take in nine of ten cases, its rollback included."""
        return self.p90 * (end_s - away_s) + self.rollback_s


@dataclass(frozen=True, slots=True)
class Policy:
    """One way to search: which nodes go first, how many are emptied onto others at the start, how targets are weighed."""

    order: str = "size"
    seeds: int = 0
    queue_weight: float = 0.0
    """What a second of waiting for a target costs beside a bucket of room wasted there."""
    patience: int = 10**9
    """Nodes without room that are looked at before the rest of the queue waits for more."""
    batch_s: float = 0.0
    """Ends of upgrades so close together are seen as one."""
    fixed: tuple[int, ...] = ()
    """An order of one's own, instead of the one that `order` names."""
    angle: bool = False
    """Whether cells are chosen by the proportions of what is free in them; else by how little is."""
    idle_share: float = inf
    """Share of an upgrade's time that groups of what leaves a node may keep it half emptied; else it begins later."""
    shuffle: int = 0
    """Seed of a small disorder in the queue; 0 for none. Several of these find what one order misses."""
    foresees: bool = False
    """Whether instances get the entries that the cloud will choose, and arrive in the order in which they got them."""
    awaits: bool = True
    """Whether a node waits until its instances can go where the plan so far wants them; else they do where it can be so."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A turn that is under way: with `start_s` its upgrade runs, else instances still leave; `running` are their moves."""

    node: int
    away_s: float
    start_s: float | None
    wave: int
    running: tuple[Timed, ...] = ()


@dataclass(frozen=True, slots=True)
class Midway:
    """The middle of a campaign that a search starts from. The default is the beginning of one."""

    begun: tuple[Begun, ...] = ()
    kept: Mapping[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    """Node and cells that the plan so far gives to instances, by their id."""
    kept_old: Mapping[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    """The same for what leaves a node whose turn has begun for one that has its turn later."""
    order: tuple[int, ...] = ()
    """Nodes that wait, in the order of the plan so far; empty without one."""
    ended: Mapping[int, float] = field(default_factory=dict)
    """When the last impact of each group ended."""
    over: Mapping[str, float] = field(default_factory=dict)
    """When the turn of each node ended that is through, well or not, by its id."""
    level: int = 0
    """The last wave that is through."""
    end_s: float = 0.0
    """End of the plan so far."""


@dataclass(slots=True)
class Found:
    """What a run of the search found."""

    turns: list[Turn]
    left: dict[int, NotYet]
    """Nodes without a turn, with the last reason."""
    extra: int = 0
    waited: dict[int, NotYet] = field(default_factory=dict)
    """Nodes that had to wait for their turn, with what kept them last."""
    closer: tuple[Closer, ...] = ()
    """Groups whose members end closer together than they began."""

    @property
    def end_s(self) -> float:
        """End of the last upgrade."""
        return max((turn.end_s for turn in self.turns), default=0.0)

    def worth(self) -> tuple[int, int, float, int]:
        """For comparing: fewer nodes left, then fewer groups closer together, then sooner, then fewer moves."""
        return (len(self.left), len(self.closer), self.end_s, sum(len(turn.moves) for turn in self.turns))
