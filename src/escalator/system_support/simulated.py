"""The simulated driver of System Support: the port's verbs on the world. It behaves as the `packages` driver does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from escalator.model.backup import FULL_SCOPE
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError
from escalator.model.release import Release
from escalator.system_support.port import (
    Call,
    Check,
    Held,
    NodeFacts,
    OperationState,
    Progress,
    Pruned,
    Ran,
    Shelf,
    SystemSupport,
    everything,
)
from escalator.world.records import Kept, Operation, Software
from escalator.world.software import expected_daemon
from escalator.world.world import World

_STATES: Mapping[str, OperationState] = {
    "running": OperationState.RUNNING,
    "done": OperationState.DONE,
    "not-needed": OperationState.NOT_NEEDED,
    "retry": OperationState.RETRY,
    "failed": OperationState.FAILED,
    "lost": OperationState.LOST,
}
_LINES = ((0.0, "fetching"), (0.25, "unpacking"), (0.5, "configuring"), (0.9, "restarting the daemon"))
"""What an operation logs, and after which share of its time."""


class SimulatedShelf:
    """The backups on the nodes of a simulated world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def list(self, node: str) -> tuple[Held, ...]:
        """Every backup that lies on the node."""
        return tuple(Held(kept.id, _size(kept), kept.taken_at) for kept in self._world.software.kept_on(node))

    async def verify(self, node: str, backup: Mapping[str, object]) -> Check:
        """Whether the backup's content is what was kept."""
        found = {kept.id: kept for kept in self._world.software.kept_on(node)}.get(str(backup.get("id")))
        if found is None:
            return Check("backup", ok=False, code=Code.SYS_BACKUP_NOT_FOUND, message="not as it was kept: it is not on the node")
        if found.damaged or backup.get("digest") not in (None, _digest(found)):
            return Check("backup", ok=False, code=Code.SYS_BACKUP_DAMAGED, message="not as it was kept: state.tar")
        return Check("backup", ok=True)

    async def prune(self, node: str, backups: Sequence[Mapping[str, object]], operations_older_s: float | None) -> Pruned:
        """Remove these backups, and operations that ended long ago."""
        before = None if operations_older_s is None else self._world.state.clock.now() - operations_older_s
        ids = [str(backup.get("id")) for backup in backups]
        freed = sum(_size(kept) for kept in self._world.software.kept_on(node) if kept.id in ids)
        operations = self._world.software.prune(node, ids, before)
        return Pruned(busy=True) if operations is None else Pruned(tuple(ids), operations, freed)


UNITS = ("libvirtd.service", "nova-compute.service", "openvswitch-switch.service")
"""Service units that run on every simulated node; the fault `units` stops the first."""
PASSING = ("NetworkManager-dispatcher.service",)
"""What runs for a moment only after a boot, and then ends by itself."""
PASSING_S = 60.0


class SimulatedSystem:
    """The software of the nodes of a simulated world. Nothing here waits: the world answers at once."""

    name = "simulated"
    runs = True

    def __init__(self, world: World) -> None:
        self._world = world
        self.shelf: Shelf = SimulatedShelf(world)
        self.lacks: Callable[[], Sequence[EscalatorError]] = tuple
        self.capabilities: Callable[[Release], frozenset[str]] = everything

    async def inspect(self, node: str, release: Release) -> NodeFacts:
        """What the node is and offers now. Raises TemporaryError when it does not answer."""
        software = self._world.software.inspect(node)
        passing = PASSING if self._world.state.clock.now() - software.booted_at < PASSING_S else ()
        versions = self._world.hosts.get(node).versions
        wanted = {package.name for package in release.spec.packages}
        return NodeFacts(
            node=node,
            boot_id=self._world.hosts.boot_id(node) or "",
            kernel=versions.get("kernel", "simulated"),
            os=f"debian {versions['os']}" if "os" in versions else "simulated",
            arch="x86_64",
            packages={name: version for name, version in software.packages.items() if name in wanted},
            daemon=software.daemon,
            offers=software.offers,
            units=(*passing, *(UNITS[1:] if "units" in software.defects else UNITS)),
            passing=passing,
        )

    async def stage(self, node: str, release: Release) -> None:
        """Put the release's files on the node."""
        self._world.software.stage(node, release)

    async def backup(
        self, node: str, release: Release, operation: str, scope: Sequence[str] = FULL_SCOPE
    ) -> Mapping[str, object]:
        """Keep what runs now; the same operation gets the same backup again."""
        kept = self._world.software.backup(node, release, operation, scope)
        wanted = {package.name for package in release.spec.packages}
        packages = {name: version for name, version in kept.packages.items() if name in wanted}
        return {
            "id": kept.id,
            "node": node,
            "packages": packages,
            "daemon": kept.daemon,
            "versions": dict(kept.versions),
            "scope": list(kept.scope),
            "digest": _digest(kept),
            "size_bytes": _size(kept),
            "location": f"world/{node}/{kept.id}",
            "missing": [],
        }

    async def start(self, node: str, release: Release, operation: str) -> None:
        """Start the upgrade, detached. When this operation was started before, nothing happens."""
        self._world.operations.upgrade(node, release, operation)

    async def poll(self, node: str, operation: str, cursor: int = 0) -> Progress:
        """Where the operation stands. Raises TemporaryError while the node does not answer."""
        found = self._world.operations.get(node, operation)
        if found is None:
            return Progress(state=OperationState.UNKNOWN, cursor=cursor)
        lines = _log(found, self._world.state.clock.now())
        return Progress(
            state=_STATES[found.state], exit_code=found.exit_code, lines=lines[cursor:], cursor=max(cursor, len(lines))
        )

    async def verify(self, node: str, release: Release, operation: str | None) -> tuple[Check, ...]:
        """Exit code of the operation, package state, the running daemon's own version, health: each on its own."""
        software = self._world.software.look(node)
        pins = {package.name: package.version for package in release.spec.packages}
        installer = () if operation is None else (_installer(self._world.operations.get(node, operation), operation),)
        return (*installer, *_state(software, pins, expected_daemon(release)))

    async def reboot_needed(self, node: str, release: Release) -> tuple[bool, str]:
        """Whether the node has to reboot before it runs what was installed, and why."""
        software = self._world.software.look(node)
        if release.spec.reboot != "auto":
            return release.spec.reboot == "always", f"the release says {release.spec.reboot}"
        if software.pending is None:
            return False, "nothing waits for the next boot"
        return True, "what was installed comes into force at the next boot"

    async def reboot(self, node: str, boot_id: str) -> None:
        """Ask the node to reboot, unless its boot id is another one already."""
        self._world.hosts.reboot(node, boot_id)

    async def boot_id(self, node: str) -> str | None:
        """The node's boot id; None while it does not answer."""
        return self._world.hosts.boot_id(node)

    async def rollback(
        self, node: str, release: Release, backup: Mapping[str, object], operation: str, *, forced: bool = False
    ) -> None:
        """Start putting the node back on what `backup` holds, detached; `poll` follows it."""
        self._world.operations.rollback(node, release, self._kept(node, backup), operation, forced=forced)

    async def verify_rollback(self, node: str, release: Release, backup: Mapping[str, object]) -> tuple[Check, ...]:  # noqa: ARG002 - the backup says it all
        """Whether the node is back on what `backup` holds."""
        kept = self._kept(node, backup)
        if "versions" not in kept.scope:
            return _state(self._world.software.look(node), {}, None)
        return _state(self._world.software.look(node), kept.packages, kept.daemon)

    async def run(self, node: str, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Ran:  # noqa: ARG002 - the port's form
        """Run a command as the faults of kind `command` say: there is nothing on a simulated node that it could do."""
        code, said = self._world.software.run(node, environment.get("ESCALATOR_COMMAND", argv[0]))
        return Ran(code, (said,))

    def _kept(self, node: str, backup: Mapping[str, object]) -> Kept:
        kept = self._world.software.kept(str(backup.get("id")))
        if kept is None or kept.node != node:
            raise PermanentError(Code.SYS_ROLLBACK, f"Node {node} holds no such backup.")
        return kept


def _size(kept: Kept) -> int:
    return 2**20 * (1 + len(kept.packages)) if kept.scope else 0


def _digest(kept: Kept) -> str:
    text = json.dumps([kept.id, kept.node, sorted(kept.packages.items()), kept.daemon, sorted(kept.versions.items()), kept.scope])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class SimulatedCommands:
    """Commands of the operator's where nothing is real: every name is known, and the world's faults say how each ends."""

    names: Sequence[str] = ()

    def __init__(self, world: World) -> None:
        self._world = world

    def knows(self, name: str) -> bool:  # noqa: ARG002 - the port's form
        """Whether there is one of that name: a rehearsal has no settings to look it up in."""
        return True

    def on_node(self, name: str) -> bool:  # noqa: ARG002 - the port's form
        """None does: a rehearsal does not know."""
        return False

    def lack(self, name: str) -> EscalatorError | None:  # noqa: ARG002 - the port's form
        """None: nothing is run."""
        return None

    async def run(self, call: Call, system: SystemSupport | None = None) -> Ran:  # noqa: ARG002 - the port's form
        """Run one as the faults of kind `command` say."""
        code, said = self._world.software.run(call.node, call.command, on_node=False)
        if call.purpose == "power-cycle" and code == 0:
            self._world.hosts.power_cycle(call.node)
        return Ran(code, (said,))


def _log(operation: Operation, now: float) -> tuple[str, ...]:
    if operation.state == "not-needed":
        return ("nothing to do",)
    share = _share(operation, now)
    lines = tuple([line for after, line in _LINES if after <= share])
    return lines if operation.state == "running" else (*lines, f"ended: {operation.state}")


def _share(operation: Operation, now: float) -> float:
    """How far the operation came; one that goes wrong does so half-way."""
    end = operation.ends_at
    if end is None or end <= operation.started_at:
        return 0.0
    share = min(1.0, (now - operation.started_at) / (end - operation.started_at))
    return share if operation.outcome == "done" and operation.state != "lost" else share / 2


def _installer(operation: Operation | None, operation_id: str) -> Check:
    if operation is None:
        return Check("installer", ok=False, code=Code.SYS_OPERATION, message=f"operation {operation_id} is unknown on the node")
    if operation.exit_code == 0:
        return Check("installer", ok=True)
    return Check(
        "installer",
        ok=False,
        code=Code.SYS_INSTALL,
        message=f"the installer is {operation.state}, exit code {operation.exit_code}",
    )


def _state(software: Software, packages: Mapping[str, str], daemon: str | None) -> tuple[Check, ...]:
    wrong = [
        f"{name} is {software.packages.get(name, 'not installed')} instead of {version}"
        for name, version in sorted(packages.items())
        if software.packages.get(name) != version
    ]
    runs = daemon is None or software.daemon == daemon
    well = "health" not in software.defects
    return (
        Check("packages", not wrong, None if not wrong else Code.SYS_PACKAGES, "; ".join(wrong)),
        Check(
            "daemon",
            runs,
            None if runs else Code.SYS_DAEMON,
            "" if runs else f"the daemon runs {software.daemon} instead of {daemon}",
        ),
        Check("health", well, None if well else Code.SYS_HEALTH, "" if well else "the health check of the node fails"),
    )
