"""A campaign: the operator's wish (`kind: Campaign`). It names selectors and policies, never hosts or VMs one by one."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError, field_validator

from escalator.model.codes import Code
from escalator.model.document import MAX_PROBLEMS, DnsLabel, Metadata, Model, Source, dotted, load
from escalator.model.errors import InputError, Problem
from escalator.model.forms import PERCENTAGE, RELEASE_ID, TIME_OF_DAY
from escalator.model.inventory import Node
from escalator.model.node_groups import NodeGroup, check_groups
from escalator.model.release import UnitNames
from escalator.model.roles import Domains, Order
from escalator.model.select import Select

Seconds = Annotated[float, Field(ge=0, le=30 * 86400)]


class Scope(Model):
    """Nodes of the campaign: selected and not excluded."""

    select: Select
    exclude: Select | None = None
    groups: tuple[NodeGroup, ...] = ()
    """One after the other as `after` says; nodes that none takes come last."""

    @field_validator("groups")
    @classmethod
    def _ordered(cls, value: tuple[NodeGroup, ...]) -> tuple[NodeGroup, ...]:
        check_groups(value)
        return value

    def includes(self, node: Node) -> bool:
        """Whether the node belongs to the campaign."""
        return self.select.matches(node) and not (self.exclude is not None and self.exclude.matches(node))


class Spread(Model):
    """At most `max` nodes that share a rack, a zone or an aggregate out of service at once."""

    by: Literal["rack", "az", "aggregate"]
    max: Annotated[int, Field(ge=1)]

    def values(self, node: Node) -> tuple[str, ...]:
        """What the node shares with others."""
        if self.by == "aggregate":
            return node.aggregates
        value = node.rack if self.by == "rack" else node.az
        return () if value is None else (value,)


class Waves(Model):
    """How many nodes at once."""

    max_unavailable: Annotated[int, Field(ge=1)] | Annotated[str, StringConstraints(pattern=PERCENTAGE)] = "10%"
    reserve_hosts: Annotated[int, Field(ge=0)] = 0
    max_extra_moves: Annotated[float, Field(ge=0, le=10)] = 0.02
    max_fill: Annotated[float, Field(gt=0, le=1)] = 1.0
    spread: tuple[Spread, ...] = ()
    storage_domain: Domains | None = None
    """Storage nodes of a cluster that share this may be away together; `label`: their label `storage-domain`. Null: none may."""
    soak_s: Seconds = 0.0
    """Pause between waves, by the clock on the wall; with one, a wave begins when the last is wholly through."""

    @field_validator("max_unavailable", mode="before")
    @classmethod
    def _one_problem(cls, value: object) -> object:
        """What is neither would be told of twice, once for each."""
        number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not number and not (isinstance(value, str) and re.fullmatch(PERCENTAGE, value)):
            raise ValueError("a number of nodes from 1, or a percentage such as 10%, is expected")
        return value

    @field_validator("max_unavailable")
    @classmethod
    def _possible(cls, value: int | str) -> int | str:
        if isinstance(value, str) and not 1 <= int(value[:-1]) <= 100:
            raise ValueError("a percentage from 1% to 100% is expected")
        return value

    def limit(self, nodes: int) -> int:
        """How many of `nodes` in scope may be unavailable at once: rounded down, at least 1."""
        if isinstance(self.max_unavailable, int):
            return self.max_unavailable
        return max(1, math.floor(nodes * int(self.max_unavailable[:-1]) / 100))


class MigrationEstimate(Model):
    """Duration of one move: `base_s` + `s_per_gib` for each GiB of memory; and for how long of it the instance stands still."""

    base_s: Seconds = 5.0
    s_per_gib: Seconds = 1.04
    interruption_s: Seconds = 0.5


class HardwareEstimate(Model):
    """Duration of the upgrade of nodes that carry all these labels."""

    labels: Mapping[str, str] = Field(min_length=1)
    upgrade_s: Seconds


class Estimates(Model):
    """How long things are expected to take, seconds."""

    upgrade_s: Seconds = 1200.0
    hardware: tuple[HardwareEstimate, ...] = ()
    """Upgrade times of hardware models that differ, by labels of the node; the first that fits counts."""
    hooks_s: Seconds = 0.0
    """Expected time of the hooks of one node's turn together, on any hardware: it counts with that of the upgrade."""
    cold_s: Seconds = 120.0
    migration: MigrationEstimate = MigrationEstimate()
    p90: Annotated[float, Field(ge=1, le=10)] = 1.25
    """How much longer a node's turn may take in nine of ten cases: by this a node has to fit into its window."""
    rollback_s: Seconds | None = None
    """Duration of a node's rollback, which has to fit into the window too (null = as long as its upgrade)."""

    def upgrade_of(self, node: Node) -> float:
        """Expected duration of the node's upgrade, reboot and verification, with the hooks of its turn."""
        for hardware in self.hardware:
            if all(node.labels.get(key) == value for key, value in hardware.labels.items()):
                return hardware.upgrade_s + self.hooks_s
        return self.upgrade_s + self.hooks_s

    def move_s(self, memory_gib: float, kind: str) -> float:
        """Expected duration of one move of an instance with that much memory."""
        extra = self.cold_s if kind == "cold" else 0.0
        return self.migration.base_s + self.migration.s_per_gib * memory_gib + extra

    def interruption_s(self, memory_gib: float, kind: str) -> float:
        """Expected time for which one move interrupts an instance: a cold one does so from its begin to its end."""
        return self.migration.interruption_s if kind == "live" else self.move_s(memory_gib, kind)


class Migration(Model):
    """Bounds on moves. `per_node` bounds departures and arrivals, each."""

    per_node: Annotated[int, Field(ge=1, le=64)] = 1
    total: Annotated[int, Field(ge=1, le=1000)] = 20
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    allow_direct_ports: bool = False
    """Whether an instance with `direct` (SR-IOV) ports may be live-migrated; its traffic drops unless the guest bonds."""
    force_complete: bool = False
    post_copy: bool = False


class Notify(Model):
    """How VNF managers are asked and what their silence means."""

    lead_time_s: Seconds = 0.0
    reply_timeout_s: Seconds = 300.0
    on_timeout: Literal["proceed", "skip-node", "pause"] = "proceed"
    on_reject: Literal["proceed", "skip-node", "pause"] = "skip-node"
    on_undeliverable: Literal["proceed", "skip-node", "pause"] = "pause"


class DefaultAction(Model):
    """What happens to instances that no VNF manager speaks for."""

    action: Literal["live", "live-if-possible", "cold", "stop-start", "in-place", "leave"] = "live"
    on_failure: Literal["retry", "skip-node", "pause"] = "retry"
    then: Literal["skip-node", "pause"] = "skip-node"


class Workloads(Model):
    """How the VMs of a node are cared for."""

    notify: Notify = Notify()
    default: DefaultAction = DefaultAction()
    scale_up: Literal["leave", "lock"] = "leave"
    scale_in: Literal["never", "ask"] = "never"
    """Whether VNF managers are asked to scale in where there is no room for what has to move."""
    on_budget: Literal["warn", "suspend"] = "warn"


class Timeouts(Model):
    """Longest time of each step of a node, seconds."""

    vacate_s: Seconds = 1800.0
    upgrade_s: Seconds = 3600.0
    reboot_s: Seconds = 1800.0
    verify_s: Seconds = 900.0
    rejoin_s: Seconds = 3600.0
    """How long the clusters that the node is a member of may take to be whole again after it."""


Names = Annotated[tuple[DnsLabel, ...], Field(max_length=20)]
"""Names of commands in the server's settings."""


class Hooks(Model):
    """The operator's own commands in a node's turn, each in order."""

    preflight: Names = ()
    pre_maintenance: Names = ()
    maintenance: Names = ()
    post_maintenance: Names = ()


class CampaignHooks(Model):
    """The operator's own commands around the whole campaign: each once, in order, on the server's host."""

    before: Names = ()
    """Before the first node begins; one that fails brings a person, and no node begins."""
    after: Names = ()
    """When every node has had its turn; not when the campaign is aborted or rolled back."""


class Pins(Model):
    """Versions that services agree on while nodes differ: the operator's own commands, each in order, on the server's host."""

    set: Names = ()
    check: Names = ()
    release: Names = ()


DriverName = Literal["packages", "ansible", "command", "simulated"]


class NodeProcedure(Model):
    """How the software of a node is replaced."""

    driver: DriverName = "packages"
    timeouts: Timeouts = Timeouts()
    hooks: Hooks = Hooks()
    tests: Names = ()
    units_gone: UnitNames = ()
    """Services that may be gone afterwards, beside what the release says of that: units, agents of the cloud, or patterns."""
    probe_vm: Literal["canary", "all"] = "canary"
    """Which nodes a probe VM proves, where the settings set one up: those that go first, or every one."""


class Failure(Model):
    """What follows from a node that failed."""

    on_node_failure: Literal["leave", "rollback-node", "rollback-hold"] = "rollback-node"
    max_failed: Annotated[int, Field(ge=0)] = 0
    same_error: Annotated[int, Field(ge=1)] = 2
    then: Literal["suspend", "abort", "rollback"] = "suspend"


class Backup(Model):
    """What is backed up before a node changes."""

    scope: tuple[Literal["versions", "config", "state"], ...] = ("versions", "config", "state")


class Gates(Model):
    """Whom to ask before the campaign goes on: names of entries of `gates` in the server's settings."""

    before: tuple[DnsLabel, ...] = ()
    """Before the first node begins."""
    before_node: tuple[DnsLabel, ...] = ()
    """Before each node's turn."""
    between: tuple[DnsLabel, ...] = ()
    """Before each wave but the first; with one, a wave begins when the last is wholly through."""


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Window(Model):
    """A weekly maintenance window: it begins on each of the days at that local time and lasts so many real seconds."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    start: Annotated[str, StringConstraints(pattern=TIME_OF_DAY)]
    length_s: Annotated[float, Field(gt=0, le=7 * 86400)]
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no time zone of the IANA database") from error
        return value


Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$")]


class CampaignSpec(Model):
    """The wish itself. Defaults stand in the reference page of the campaign document."""

    release: Annotated[str, StringConstraints(pattern=RELEASE_ID)] | None = None
    mode: Literal["smooth", "non-smooth"]
    scope: Scope
    order: Order = Field(default_factory=dict)
    """Which kind of node goes before which, layer by layer, instead of what the release says."""
    waves: Waves = Waves()
    estimates: Estimates = Estimates()
    migration: Migration = Migration()
    workloads: Workloads = Workloads()
    node: NodeProcedure = NodeProcedure()
    gates: Gates = Gates()
    hooks: CampaignHooks = CampaignHooks()
    """Commands before the first node and after the last; those of each node's turn are `node.hooks`."""
    pins: Pins = Pins()
    windows: tuple[Window, ...] = ()
    not_before: Annotated[AwareDatetime, Field(strict=False)] | None = None
    not_after: Annotated[AwareDatetime, Field(strict=False)] | None = None
    failure: Failure = Failure()
    backup: Backup = Backup()
    exclusive: Annotated[tuple[Key, ...], Field(max_length=20)] = ()
    """Keys at the lock service of the settings, held while the campaign works: never two sites with one key at once."""


class Campaign(Model):
    """A campaign document."""

    api_version: Literal["escalator/v1"] = Field(default="escalator/v1", alias="apiVersion")
    kind: Literal["Campaign"] = "Campaign"
    metadata: Metadata
    spec: CampaignSpec


_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_NOT_YET: Mapping[str, object] = {
    "migration.post_copy": False,
    "migration.force_complete": False,
}
"""Keys of the format whose capability is not built yet, with the only value that is accepted: the one that asks for nothing."""


def load_campaign(source: Source) -> Campaign:
    """Make a campaign from parsed data.

    Raises InputError with every problem at once. A key or value whose capability is not built yet is refused as
    "not supported yet", never ignored.
    """
    asked = [problem for path, neutral in _NOT_YET.items() for problem in _unsupported(source, path, neutral)]
    late = [*_far_away(source), *_ends_before_it_begins(source)]
    try:
        campaign = load(Campaign, source)
    except InputError as error:
        raise InputError(error.code, error.message, problems=_in_order([*error.problems, *asked, *late])) from error
    if late:
        raise InputError(Code.CFG_DOCUMENT, "The campaign's dates do not fit.", problems=_in_order([*late, *asked]))
    if asked:
        raise InputError(Code.CFG_UNSUPPORTED, "The campaign asks for what is not supported yet.", problems=asked)
    return campaign


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(set(problems), key=lambda p: (p.line or 0, p.path))[:MAX_PROBLEMS]


def _far_away(source: Source) -> list[Problem]:
    """Dates at the ends of the calendar, which have no time of day in every zone; of a document that comes, as below."""
    spec = source.data.get("spec") if isinstance(source.data, Mapping) else None
    given = {key: _moment(spec.get(key)) for key in ("not_before", "not_after")} if isinstance(spec, Mapping) else {}
    what = f"a time from {_FIRST_YEAR} to {_LAST_YEAR} is expected"
    far = [key for key, moment in given.items() if moment is not None and not _FIRST_YEAR <= moment.year <= _LAST_YEAR]
    return [Problem(f"spec.{key}", what, source.lines.get(("spec", key))) for key in far]


def _ends_before_it_begins(source: Source) -> list[Problem]:
    """Only of a document that comes: one that was taken in before is to be read whatever it says."""
    spec = source.data.get("spec") if isinstance(source.data, Mapping) else None
    begin, end = (_moment(spec.get(key)) if isinstance(spec, Mapping) else None for key in ("not_before", "not_after"))
    if begin is None or end is None or end > begin:
        return []
    what = f"it is not later than not_before, {begin.isoformat()}"
    return [Problem("spec.not_after", what, source.lines.get(("spec", "not_after")))]


def _moment(value: object) -> datetime | None:
    """The time that stands there; None where it is none, which is told as that."""
    try:
        return None if value is None else _MOMENT.validate_python(value)
    except ValidationError:
        return None


def _unsupported(source: Source, path: str, neutral: object) -> list[Problem]:
    """From the data as they came: that something else is wrong with them hides nothing."""
    value: object = source.data
    for part in ("spec", *path.split(".")):
        value = value.get(part, neutral) if isinstance(value, Mapping) else neutral
    # What has another type is told as that.
    return [_not_supported(source, path, value)] if value != neutral and isinstance(value, type(neutral)) else []


def _not_supported(source: Source, path: str, value: object) -> Problem:
    full = ("spec", *path.split("."))
    line = next((source.lines[full[:n]] for n in range(len(full), 0, -1) if full[:n] in source.lines), None)
    shown = re.sub(r"\s+", " ", str(value))[:60]
    return Problem(dotted(full), f"{shown} is not supported yet; leave the key out", line)
