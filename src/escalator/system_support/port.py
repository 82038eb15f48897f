"""The port of System Support: the verbs that the Upgrade Manager uses, and nothing more.

Every verb is safe to repeat. Work that changes a node is started detached under an operation id and polled, so that it
survives a dropped link and a restart of the manager. Drivers raise `TemporaryError` or `PermanentError` of ours; the
engine alone decides on retry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from escalator.model.backup import FULL_SCOPE
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError
from escalator.model.release import Release
from escalator.storage.port import ReleaseRow

EVERYTHING = frozenset({"stage", "backup", "rollback", "reboot"})
"""All that a driver may be able to do beyond installing."""


def everything(_: Release) -> frozenset[str]:
    """The capabilities of a driver that can do everything with every release."""
    return EVERYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node is and offers now.

    `packages` holds the installed version of each package of the release (missing = not installed, but where
    `packages_told` says that the node tells of none), `daemon` the running daemon's own version, `offers` countable
    things that must not become fewer: PCI devices per vendor:device, huge pages per size, CPUs, memory in MiB. `units` are
    the service units that are enabled and run, or are started when they are needed, where systemd has them; `passing` those
    of them that run for a moment only.
    """

    node: str
    boot_id: str
    kernel: str = ""
    os: str = ""
    arch: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    daemon: str | None = None
    offers: Mapping[str, float] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    packages_told: bool = True

    def to_json(self) -> dict[str, object]:
        """Plain values for the journal."""
        return asdict(self)


class OperationState(StrEnum):
    """Where a detached operation stands."""

    UNKNOWN = "unknown"  # the node knows no such operation
    RUNNING = "running"
    DONE = "done"
    NOT_NEEDED = "not-needed"
    RETRY = "retry"  # failed in a way that a later try may mend
    FAILED = "failed"
    LOST = "lost"  # it was under way and ended without an exit code (the node died)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a detached operation stands, with log lines from the cursor asked for."""

    state: OperationState
    exit_code: int | None = None
    lines: tuple[str, ...] = ()
    cursor: int = 0
    told: tuple[str, ...] = ()
    """Those of the lines that belong into the history: the tasks of a playbook, where one runs."""


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one of the checks of `verify`."""

    name: str
    """`installer`, `packages`, `daemon`, `health`."""
    ok: bool
    code: Code | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A backup as it lies on its node."""

    id: str
    """As in what `backup` returned."""
    size_bytes: int
    taken_at: float
    """Unix seconds, by the node's clock."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed from a node; nothing when it was `busy` with an operation."""

    backups: tuple[str, ...] = ()
    operations: int = 0
    freed_bytes: int = 0
    busy: bool = False


class Shelf(Protocol):
    """The backups that lie on the nodes."""

    async def list(self, node: str) -> tuple[Held, ...]:
        """Every backup that lies on the node."""
        ...

    async def verify(self, node: str, backup: Mapping[str, object]) -> Check:
        """Whether the backup's content is what was kept, by its digest.

        Raises PermanentError (`SYS_UNSUPPORTED`) where the driver keeps none.
        """
        ...

    async def prune(self, node: str, backups: Sequence[Mapping[str, object]], operations_older_s: float | None) -> Pruned:
        """Remove these backups, and what is left of operations that ended longer ago than that (None = none of them).

        Nothing is removed while an operation is under way on the node. Repeating it changes nothing.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One run of a command of the operator's, by its name in the settings, and what it is about."""

    command: str
    purpose: str
    """What it is run as: the name of a hook, `test`, or what else asks for it."""
    operation: str
    """The same for every repetition of the same run, so that the command can tell that it has been there."""
    campaign: str = ""
    node: str = ""
    release: str = ""
    found: str = ""
    """What was there before, for a command that puts it back."""
    nodes: Sequence[str] = ()
    """All nodes that it is asked about at once, where these are several."""
    address: str = ""
    """Where the probe VM is reached that it is to reach."""
    metadata: str = ""
    """What whoever asked for the run has to say to the command, as JSON in ASCII; empty for nothing."""
    way: Literal["there", "back", ""] = ""
    """Which way the node goes in whose turn it runs: to the new software, or back to what it ran before; empty in no turn."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What the command finds in its environment."""
        return {
            "ESCALATOR_COMMAND": self.command,
            "ESCALATOR_PURPOSE": self.purpose,
            "ESCALATOR_OPERATION": self.operation,
            "ESCALATOR_CAMPAIGN": self.campaign,
            "ESCALATOR_NODE": self.node,
            "ESCALATOR_RELEASE": self.release,
            **({"ESCALATOR_FOUND": self.found} if self.found else {}),
            **({"ESCALATOR_NODES": " ".join(self.nodes)} if self.nodes else {}),
            "ESCALATOR_ADDRESS": self.address,
            **({"ESCALATOR_METADATA": self.metadata} if self.metadata else {}),
            **({"ESCALATOR_WAY": self.way} if self.way else {}),
        }


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command of the operator's ended: its exit code, and the last lines of what it said, bounded."""

    code: int
    lines: tuple[str, ...] = ()
    output: bytes = field(default=b"", repr=False)
    """Standard output from its beginning, bounded; of a command on the manager's host."""

    @property
    def said(self) -> str:
        """The last line; that there was none, when there was none."""
        return self.lines[-1] if self.lines else "it said nothing"


class SystemSupport(Protocol):
    """The software of the nodes. `release` is the wanted one; `operation` ids are unique per node task and purpose."""

    name: str
    runs: bool
    """Whether commands of the operator's can be run on nodes, whatever the release."""
    shelf: Shelf
    """The backups that it has taken."""

    capabilities: Callable[[Release], frozenset[str]]
    """Of `stage`, `backup`, `rollback`, `reboot`: what can be done with a release. The plan shows what cannot."""

    lacks: Callable[[], Sequence[EscalatorError]]
    """What of its own it does not find on the manager's host, such as its key or a program; no node is asked."""

    async def inspect(self, node: str, release: Release) -> NodeFacts:
        """What the node is and offers now. Raises TemporaryError when it does not answer."""
        ...

    async def stage(self, node: str, release: Release) -> None:
        """Fetch and check the release's files on the node; its software does not change."""
        ...

    async def backup(
        self, node: str, release: Release, operation: str, scope: Sequence[str] = FULL_SCOPE
    ) -> Mapping[str, object]:
        """Keep what the scope asks for: running versions, configuration, state paths; what is returned is what `rollback` needs.

        Beside that it tells `id`, `packages`, `scope`, `digest`, `size_bytes`, `location`, `missing`. Raises PermanentError
        (`SYS_BACKUP_SPACE`) when it does not fit on the node; nothing is left of it then.
        """
        ...

    async def start(self, node: str, release: Release, operation: str) -> None:
        """Start the upgrade, detached. When this operation was started before, nothing happens."""
        ...

    async def poll(self, node: str, operation: str, cursor: int = 0) -> Progress:
        """Where the operation stands. Works after a restart of the manager or of the node."""
        ...

    async def verify(self, node: str, release: Release, operation: str | None) -> tuple[Check, ...]:
        """Exit code of the operation, package state, the running daemon's own version, health: each on its own."""
        ...

    async def reboot_needed(self, node: str, release: Release) -> tuple[bool, str]:
        """Whether the node has to reboot before it runs what was installed, and why."""
        ...

    async def reboot(self, node: str, boot_id: str) -> None:
        """Ask the node to reboot, unless its boot id is another one than `boot_id` already."""
        ...

    async def boot_id(self, node: str) -> str | None:
        """The node's boot id; None while it does not answer."""
        ...

    async def rollback(
        self, node: str, release: Release, backup: Mapping[str, object], operation: str, *, forced: bool = False
    ) -> None:
        """Start putting the node back on what `backup` holds (state first, then pins), detached; `poll` follows it.

        A backup whose content is not what was kept is refused by the operation, before it changes anything. When it is
        `forced`, what is under way on the node is ended first, and packages that resist are forced.
        """
        ...

    async def verify_rollback(self, node: str, release: Release, backup: Mapping[str, object]) -> tuple[Check, ...]:
        """Whether the node is back on what `backup` holds: packages, daemon's own version, health."""
        ...

    async def run(self, node: str, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Ran:
        """Run a command of the operator's on the node to its end, without a shell.

        Raises TemporaryError when the node does not answer or the command takes longer than `timeout_s`.
        """
        ...


class Commands(Protocol):
    """The operator's commands by their names in the settings."""

    @property
    def names(self) -> Sequence[str]:
        """All that there are."""
        ...

    def knows(self, name: str) -> bool:
        """Whether there is one of that name."""
        ...

    def on_node(self, name: str) -> bool:
        """Whether the command runs on the node, not on the manager's host."""
        ...

    def lack(self, name: str) -> EscalatorError | None:
        """Why the one of that name cannot be run, as far as the manager's host tells; None when it can, or runs on nodes."""
        ...

    async def run(self, call: Call, system: SystemSupport | None = None) -> Ran:
        """Run one to its end. What its exit code means is its purpose's affair.

        Raises PermanentError when it cannot be run at all, TemporaryError when it takes too long or its node does not answer.
        """
        ...


class Vetting(Protocol):
    """Whether a release may be used."""

    def hindrance(self, row: ReleaseRow) -> EscalatorError | None:
        """Why no new campaign may be planned or started with it (expired, too few signatures); None when one may."""
        ...

    async def intact(self, release_id: str) -> None:
        """Make sure that document and files are those that were taken in, whatever is trusted or has expired since.

        Raises PermanentError.
        """
        ...
