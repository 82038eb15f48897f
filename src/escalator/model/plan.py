"""A plan: the decision (`kind: Plan`). Immutable, with a parent and a digest.

Intervals are [start, end) in seconds of working time from the start of the campaign; at equal times ends come first.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from escalator.model.document import Model
from escalator.model.inventory import Role
from escalator.model.release import Impact as Touches

Time = Annotated[float, Field(ge=0)]
Level = Literal["node", "rack", "az"]
"""At which the members of a group are apart."""


class _Interval(Model):
    start_s: Time
    end_s: Time

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end_s < self.start_s:
            raise ValueError("end_s is before start_s")
        return self


class Upgrade(_Interval):
    """One node's upgrade, reboot and verification."""

    node: str
    wave: Annotated[int, Field(ge=1)] = 1
    window: Annotated[int, Field(ge=0)] = 0
    waits: str = ""
    """What kept the node from an earlier turn: room, a group, max_unavailable, a spread rule, the window. Empty: nothing did."""


class Move(_Interval):
    """One instance leaves a node for a named other one."""

    instance: str
    origin: str = Field(alias="from")
    target: str = Field(alias="to")
    numa_cell: int | tuple[int, ...] | None = None
    kind: Literal["live", "cold"] = "live"
    extra: bool = False


class Impact(_Interval):
    """One instance stays on its node while that is upgraded."""

    instance: str
    kind: Literal["in-place", "own", "stop-start", "offline"]
    node: str


class NotUpgraded(Model):
    """A node of the scope that the plan leaves out, and why."""

    node: str
    reason: str


class Bounds(Model):
    """Lower bounds: no plan can do with less."""

    moves: Annotated[int, Field(ge=0)] = 0
    makespan_s: Time = 0.0
    binding: str | None = None
    """Name of the largest of `parts`: what would have to change for a shorter plan."""
    parts: Mapping[str, Time] = Field(default_factory=dict)
    """Each bound on the makespan, seconds."""


class PlanGroup(Model):
    """A group of nodes of the campaign, as it is from this plan on: a sample does not change any more."""

    name: str
    """`(others)` for the nodes that no group takes."""
    after: tuple[str, ...] = ()
    """All groups that have to be through before."""
    soak_s: Time = 0.0
    nodes: tuple[str, ...] = ()


class Totals(Model):
    """The plan in numbers."""

    nodes: int = 0
    moves: int = 0
    makespan_s: Time = 0.0
    windows: int = 0
    """Maintenance windows in which nodes are upgraded."""
    not_upgraded: tuple[NotUpgraded, ...] = ()


class PlanWindow(Model):
    """A maintenance window up to the last that has turns, on the calendar. Times are RFC 3339, in the campaign's time zone."""

    window: Annotated[int, Field(ge=0)]
    """Its number: that of `upgrades`."""
    opens: str
    closes: str | None = None
    """Null where no date ends it."""
    nodes: Annotated[int, Field(ge=0)]
    """How many nodes have their turn in it; none in one that comes before and holds no turn, mostly as it is too short."""
    starts_s: Time | None = Field(None, exclude_if=lambda starts_s: starts_s is None)
    """Working time at which it opens: what happens later in it happens so much later by the clock. Left out by older plans."""


class Hit(Model):
    """How one VNF is hit in one maintenance window."""

    vnf: str
    """Its name, or the project of instances that belong to no VNF."""
    window: Annotated[int, Field(ge=0)] = 0
    moved: Annotated[int, Field(ge=0)] = 0
    stayed: Annotated[int, Field(ge=0)] = 0
    """Instances that stay on a node while it is upgraded."""
    impacted_s: Time = 0.0
    """Time in which at least one of its instances is impacted, seconds."""
    at_once: Annotated[int, Field(ge=0)] = 0
    """Most instances impacted at the same time."""
    begins_s: Time | None = Field(None, exclude_if=lambda begins_s: begins_s is None)
    """When the first of its impacts begins, in working time. Left out by older plans."""
    ends_s: Time | None = Field(None, exclude_if=lambda ends_s: ends_s is None)
    """When the last of its impacts ends."""


class Interruption(Model):
    """What a move is expected to take of an instance whose VNF says what it does not notice."""

    instance: str
    kind: Literal["live", "cold"]
    expected_s: Time
    source: Literal["estimate", "seen"]
    """Whether it is the document's estimate, or what earlier campaigns saw."""
    campaign: str | None = None
    """The campaign that saw it."""
    tolerates_s: Time
    """Longest interruption that its VNF does not notice."""
    noticed: bool


class NoReturn(Model):
    """An instance that a rollback of its new node could not bring back as it went."""

    instance: str
    vnf: str
    """Its VNF, or the project of an instance that belongs to none."""
    window: Annotated[int, Field(ge=0)] = 0
    """The maintenance window from which on it is so."""
    reason: str
    way_back: str
    """How it comes back all the same."""


class Closer(Model):
    """A group of anti-affinity whose members end closer together than they began: in fewer places, or more of them in one."""

    group: str
    level: Level
    places_before: Annotated[int, Field(ge=0)]
    """Nodes, racks or zones that its members were in."""
    places_after: Annotated[int, Field(ge=0)]
    """The same at the end of the plan."""
    most_before: Annotated[int, Field(ge=0)]
    """Members in the place that had most of them."""
    most_after: Annotated[int, Field(ge=0)]
    """The same at the end of the plan."""


class NodeVersion(Model):
    """What one node runs of the release, where it goes, and whether it could be taken back."""

    node: str
    runs: str | None = None
    """Its version of the release; `none` when none is installed, null when it is not known."""
    to: str
    jump: Literal["same", "patch", "minor", "major", "downgrade", "new", "unknown"] = "unknown"
    back: bool = True
    why_not: str = ""


class Condition(Model):
    """One condition of a smooth upgrade: whether it holds, and if not, what would make it hold."""

    code: str
    ok: bool
    message: str
    remedy: str = ""


class Plan(Model):
    """A plan and its report."""

    api_version: Literal["escalator/v1"] = Field(default="escalator/v1", alias="apiVersion")
    kind: Literal["Plan"] = "Plan"
    id: str = ""
    digest: str = ""
    parent: str | None = None
    purpose: Literal["upgrade", "rollback", "restore"] = "upgrade"
    """What the turns of nodes are for; `upgrades` are those of a rollback, too."""
    at_s: Time = 0.0
    smooth: bool
    impact: Touches | None = None
    """What the release touches; null = not known, as if the nodes reboot."""
    order: tuple[Role, ...] = ()
    """Kinds of nodes in the order in which they go; empty where there is one kind, or nothing is touched."""
    upgrades: tuple[Upgrade, ...] = ()
    moves: tuple[Move, ...] = ()
    impacts: tuple[Impact, ...] = ()
    bounds: Bounds = Bounds()
    totals: Totals = Totals()
    windows: tuple[PlanWindow, ...] = Field((), exclude_if=lambda windows: not windows)
    """When the windows of `upgrades` open, if the campaign is started before the first does; left out where that is not known.

    Known where the campaign has windows or dates, and when it starts: from a server, or by its `not_before`.
    """
    groups: tuple[PlanGroup, ...] = ()
    """Groups of nodes that go one after the other; empty without such an order."""
    hits: tuple[Hit, ...] = ()
    closer: tuple[Closer, ...] | None = None
    """Groups that end closer together than they began, each level apart; null = the plan does not tell."""
    interruptions: tuple[Interruption, ...] = ()
    """Of the instances that move and whose VNFs say what they do not notice."""
    no_return: tuple[NoReturn, ...] = ()
    versions: tuple[NodeVersion, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def sealed(self, plan_id: str, parent: str | None = None) -> Plan:
        """The plan with its id, parent and digest; the digest covers everything but itself."""
        named = self.model_copy(update={"id": plan_id, "parent": parent, "digest": ""})
        body = named.model_dump_json(by_alias=True).encode()
        return named.model_copy(update={"digest": "sha256:" + hashlib.sha256(body).hexdigest()})

    @cached_property
    def upgrade_of(self) -> dict[str, Upgrade]:
        """The upgrade of each node that has one."""
        return {upgrade.node: upgrade for upgrade in self.upgrades}

    @cached_property
    def moves_from(self) -> dict[str, tuple[Move, ...]]:
        """The moves that leave each node, in order of their start."""
        found: defaultdict[str, list[Move]] = defaultdict(list)
        for move in sorted(self.moves, key=lambda m: (m.start_s, m.instance)):
            found[move.origin].append(move)
        return {node: tuple(moves) for node, moves in found.items()}

    @cached_property
    def impacts_on(self) -> dict[str, tuple[Impact, ...]]:
        """The impacts of instances that stay on each node."""
        found: defaultdict[str, list[Impact]] = defaultdict(list)
        for impact in self.impacts:
            found[impact.node].append(impact)
        return {node: tuple(impacts) for node, impacts in found.items()}
