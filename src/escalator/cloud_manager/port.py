"""The port of the Cloud Manager: the verbs that the Upgrade Manager uses, and nothing more.

Every verb is safe to repeat. Drivers raise `TemporaryError` or `PermanentError` of ours and never retry, sleep for
retry, or decide: the engine does. A driver's blocking client runs in threads inside the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from escalator.cloud_manager.agents import Agents
from escalator.cloud_manager.probe_vms import ProbeVms
from escalator.model.campaign import Migration
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory, Node


@dataclass(frozen=True, slots=True)
class CloudIdentity:
    """The cloud as it names itself and who we are in it. `id` is stable: one running campaign per id."""

    id: str
    user: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The compute service of a node: whether new instances may land there (`enabled`), and whether it reports (`up`)."""

    node: str
    enabled: bool
    up: bool
    reason: str | None = None
    forced_down: bool = False
    reported: str | None = field(default=None, compare=False)
    """Changes whenever the service reports anew; null where the cloud does not tell. To be compared, not read."""

    def to_json(self) -> dict[str, object]:
        """Plain values, for the break-glass sheet and the journal."""
        return {
            "node": self.node,
            "enabled": self.enabled,
            "up": self.up,
            "reason": self.reason,
            "forced_down": self.forced_down,
        }


@dataclass(frozen=True, slots=True)
class MoveOrder:
    """Move one instance from a node to a named other one."""

    instance: str
    origin: str
    target: str
    kind: Literal["live", "cold"]


class MoveState(StrEnum):
    """Where a move stands, judged by both the instance and the cloud's record of the migration."""

    NONE = "none"  # no migration of this instance is known and it is not on the target
    RUNNING = "running"
    CONFIRM = "confirm"  # cold: the instance runs on the target and waits for confirm or revert
    DONE = "done"  # the instance is on the target and at rest, the record says completed
    FAILED = "failed"  # the instance is on the origin, the record says why
    LOST = "lost"  # the instance does not exist any more


@dataclass(frozen=True, slots=True)
class MoveStatus:
    """Where a move stands. `healthy` says whether the instance is in the state it was in before."""

    state: MoveState
    at: str | None
    healthy: bool = True
    message: str = ""
    progress: float | None = None

    @property
    def why(self) -> str:
        """Why it is not where it was to go, never empty: of a target that is full a cloud may have no word of its own."""
        if self.message:
            return self.message
        if self.state is MoveState.NONE:
            where = f"the instance is on {self.at} and no migration is on record" if self.at else "no migration is on record"
            return f"{where}: the cloud's scheduler may have refused the target, as for want of room"
        return f"the migration ended {self.state.value}, and the cloud does not say why"


UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class Quota:
    """Amounts of a project: limits (-1 for none), or what is in use."""

    cores: int
    ram_mib: int
    instances: int

    def plus(self, other: Quota) -> Quota:
        """Both together."""
        return Quota(self.cores + other.cores, self.ram_mib + other.ram_mib, self.instances + other.instances)

    def least(self, other: Quota) -> Quota:
        """The narrower limit of each."""
        pairs = ((self.cores, other.cores), (self.ram_mib, other.ram_mib), (self.instances, other.instances))
        return Quota(*(max(pair) if UNLIMITED in pair else min(pair) for pair in pairs))

    def to_json(self) -> dict[str, object]:
        """Plain values, for the break-glass sheet."""
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, object]) -> Quota:
        """The amounts that the sheet holds."""
        return Quota(*(int(str(value[key])) for key in ("cores", "ram_mib", "instances")))

    def __str__(self) -> str:
        """For people."""

        def said(number: int, one: str, many: str = "") -> str:
            return f"unlimited {many or one + 's'}" if number == UNLIMITED else counted(number, one, many)

        return f"{said(self.cores, 'core')}, {said(self.ram_mib, 'MiB', 'MiB')}, {said(self.instances, 'instance')}"


@dataclass(frozen=True, slots=True)
class QuotaState:
    """What a project may use, and what it does."""

    limits: Quota
    in_use: Quota


class Quotas(Protocol):
    """What projects may use."""

    async def state(self, project: str) -> QuotaState:
        """The project's limits and what is in use, now."""
        ...

    async def change(self, project: str, limits: Quota) -> None:
        """Set the project's limits, also below what is in use. Raises PermanentError where the cloud does not keep them."""
        ...


class CloudManager(Protocol):
    """The virtual resources of one cloud."""

    quotas: Quotas
    """What its projects may use."""
    agents: Agents
    """The services and agents of the cloud on its nodes."""
    probe_vms: ProbeVms
    """Small instances of our own that prove a node."""

    async def identity(self) -> CloudIdentity:
        """Who and where we are. Raises PermanentError for wrong credentials or a missing role."""
        ...

    async def inventory(self, policy: Migration) -> Inventory:
        """Nodes, instances and groups now; `policy` decides how SR-IOV ports count."""
        ...

    async def instances_on(self, node: str, policy: Migration) -> tuple[Instance, ...]:
        """Instances on the node now, with their migration kind and what blocks them."""
        ...

    async def instance(self, instance_id: str) -> Instance | None:
        """The instance now; None when it is gone."""
        ...

    async def node(self, node: str) -> Node:
        """The node now: capacity, traits, versions. Raises PermanentError with `CLD_NOT_FOUND` when there is none."""
        ...

    async def unavailable(self) -> Mapping[str, ServiceState]:
        """The compute services that are down or disabled now, by node; cheap enough to ask often."""
        ...

    async def service(self, node: str) -> ServiceState:
        """State of the node's compute service. Raises PermanentError when there is none."""
        ...

    async def cordon(self, node: str, reason: str) -> None:
        """Keep new instances off the node, with a reason that people see."""
        ...

    async def restore_service(self, node: str, found: ServiceState) -> None:
        """Put the service back to exactly what was found before: enabled or disabled, with that reason."""
        ...

    async def start_move(self, order: MoveOrder) -> None:
        """Ask for the move. When the same move is under way or done already, nothing happens.

        Raises PermanentError with `CLD_NO_VALID_HOST` when the target is unfit, TemporaryError when the instance is busy.
        """
        ...

    async def move_status(self, order: MoveOrder) -> MoveStatus:
        """Where the move stands, by both the instance and the migration's record."""
        ...

    async def confirm_move(self, order: MoveOrder) -> None:
        """End a cold move: the instance stays on the target."""
        ...

    async def revert_move(self, order: MoveOrder) -> None:
        """Take a cold move back: the instance returns to the origin."""
        ...

    async def abort_move(self, order: MoveOrder) -> None:
        """Abort a live move that is under way; nothing happens when there is none."""
        ...

    async def stop(self, instance_id: str) -> None:
        """Stop the instance; ask only. Nothing happens when it is stopped."""
        ...

    async def start(self, instance_id: str) -> None:
        """Start the instance; ask only. Nothing happens when it runs."""
        ...

    def by_hand(self, kind: str, node: str, object_id: str, found: Mapping[str, object]) -> tuple[str, ...]:
        """The commands with which a person puts back `kind` (`cordon`, `instance-stopped`, `quota`, …) without Escalator."""
        ...
