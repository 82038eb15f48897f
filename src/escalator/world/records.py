"""Rows of the simulated world. Each is a frozen value; a change replaces the row. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator

from escalator.model.inventory import Instance, shared
from escalator.model.notice import Reply, Vnfm, VnfmSpec

Behaviour = Literal[
    "follows",  # agrees to what is planned for each instance: it switches over where that is an impact in place
    "moves",  # takes the business away from every instance: MOVED
    "keep",  # every instance may be impacted where it is: KEEP
    "own",  # acts itself, the instance stays: OWN_ACTION
    "migrate",  # asks for every instance to be migrated: MIGRATE
    "live-migrate",  # ... and live only: LIVE_MIGRATE
    "refuse",  # NACK
    "defer",  # DEFER by `defer_s`, then as `moves`
    "partly",  # as `moves`, about every second instance, the first one too, and one by one; silent about the others
    "silent",  # gets the notice and never answers
    "late",  # as `moves`, `delay_s` after the deadline
    "twice",  # as `moves`, and later another, different answer
    "unreachable",  # does not get the notice
]
"""How a VNF manager acts on a notice about a host."""
Outcome = Literal["done", "failed", "hang", "lost", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that will be true at `at`; `what` names its handler."""

    seq: int
    at: float
    what: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Versions of all layers that come into force at the node's next boot."""

    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """What is installed and what runs on one node."""

    node: str
    boot: int = 1
    booting: bool = False
    cut_off_until: float = 0.0
    """Nothing reaches the node from outside until then, although it works on."""
    packages: Annotated[Mapping[str, str], AfterValidator(shared)] = field(default_factory=dict)
    daemon: str | None = None
    offers: Annotated[Mapping[str, float], AfterValidator(shared)] = field(default_factory=dict)
    staged: tuple[str, ...] = ()
    pending: Pending | None = None
    """Set while a reboot is needed."""
    defects: tuple[str, ...] = ()
    """What a bad release broke: `daemon`, `health`, `packages`, `offers`, `units`, `agents`."""
    interrupted: tuple[str, ...] = ()
    """Instances that ran here when the node went down."""
    booted_at: float = 0.0
    """When it came up last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A virtual router, and the network node that it is active on."""

    id: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The latest move of an instance."""

    instance: str
    origin: str
    target: str
    kind: Literal["live", "cold"]
    cells: tuple[int, ...]
    """NUMA entries claimed on the target."""
    origin_cells: tuple[int, ...]
    """NUMA entries used on the origin, free again when the move has ended."""
    state: Literal["running", "confirm", "done", "failed", "lost"]
    was: str
    """State of the instance before."""
    started_at: float
    ends_at: float | None
    outcome: Outcome
    attempt: int = 1
    event: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """A stop or start of an instance under way."""

    instance: str
    to: Literal["stopped", "active"]
    outcome: Outcome
    event: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRow:
    """A probe VM of the manager; where it was placed there is an instance of its name."""

    name: str
    node: str
    """The node that it was asked for."""
    outcome: Outcome = "done"
    event: int = 0
    no_host: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a detached operation leaves on its node; `versions` are those of all its layers."""

    packages: Mapping[str, str]
    daemon: str | None
    versions: Mapping[str, str]
    reboot: bool
    defects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A detached operation on a node."""

    id: str
    node: str
    kind: Literal["upgrade", "rollback", "restore"]
    release: str
    state: Literal["running", "done", "not-needed", "failed", "lost", "retry"]
    outcome: Outcome
    started_at: float
    ends_at: float | None
    change: Change | None = None
    impacted: tuple[str, ...] = ()
    """Instances that ran on the node when it began."""
    exit_code: int | None = None
    event: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A backup taken on a node."""

    id: str
    node: str
    packages: Mapping[str, str]
    daemon: str | None
    versions: Mapping[str, str]
    scope: tuple[str, ...] = ("versions", "config", "state")
    taken_at: float = 0.0
    damaged: bool = False
    """Whether somebody changed what was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VnfmRow:
    """One VNF manager of the world. Seconds are nominal: the world's speed divides them."""

    name: str
    behaviour: Behaviour = "follows"
    delay_s: float = 20.0
    defer_s: float = 120.0
    projects: tuple[str, ...] = ()
    vnfs: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    operations: Mapping[str, float] = field(default_factory=dict)
    """When the lifecycle operation of a VNF ends, Unix seconds."""
    spare: int = 0
    """How many of its instances it gives up each time when it is asked for room; it makes them anew when it may."""
    orchestrator: bool = False
    """Whether it is an orchestrator: of how it behaves only `unreachable` counts."""

    def registration(self) -> Vnfm:
        """As it is registered at the VIM Interface."""
        if self.orchestrator:
            return Vnfm(name=self.name, spec=VnfmSpec(dialect="or-vi"))
        spec = VnfmSpec(dialect="simulated", projects=self.projects, vnfs=self.vnfs, instances=self.instances)
        return Vnfm(name=self.name, spec=spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """Who has a key of the lock service, and until when, Unix seconds."""

    owner: str
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """What a gate says: `go`, `not yet` or `no`, and why."""

    verdict: str = "go"
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRow:
    """What a project may use; -1 for no limit."""

    cores: int = -1
    ram_mib: int = -1
    instances: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A VNF manager lets this instance be impacted on this node, from `at`: `MOVED`, `KEEP` or `OWN_ACTION`."""

    instance: str
    node: str
    vnfm: str
    disposition: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """An instance that its VNF manager has deleted to make room, and will make anew."""

    vnfm: str
    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReply:
    """A reply that a VNF manager sends at `due_at`; it is offered until it is acknowledged."""

    notice: str
    number: int
    vnfm: str
    token: str
    due_at: float
    reply: Reply
    about: str | None = None
    """The one instance of several that it is about; null for an answer about all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A notice that a VNF manager got. `times` counts deliveries of the same one."""

    notice: str
    vnfm: str
    type: str
    at: float
    campaign: str
    node: str | None = None
    instances: tuple[str, ...] = ()
    reply_by: float | None = None
    action_at: float | None = None
    times: int = 1
    details: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    """Where the reply goes; null where none is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the history."""

    at: float
    what: str
    node: str | None = None
    instance: str | None = None
    detail: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that must not happen: business was lost, or an invariant broken."""

    at: float
    what: str
    node: str
    instance: str | None = None
    message: str = ""
    seq: int = 0
