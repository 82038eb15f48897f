"""Software of the nodes: what is installed and what runs, backups, detached operations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from escalator.model.backup import FULL_SCOPE
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.release import Release
from escalator.world.audit import Audit
from escalator.world.faults import FaultBook
from escalator.world.records import Kept, Software
from escalator.world.rules import Subject
from escalator.world.state import State


class SoftwareDepot:
    """Verbs on the software of nodes. A node that is down answers with TemporaryError (`SYS_UNREACHABLE`)."""

    def __init__(self, state: State, faults: FaultBook, audit: Audit) -> None:
        self._state = state
        self._faults = faults
        self._audit = audit

    def inspect(self, node_id: str) -> Software:
        """What is installed, runs and is offered now."""
        with self._state.change(), self._faults.around("inspect", Subject(node=node_id), Code.SYS_UNREACHABLE):
            software = self._reachable(node_id)
            if "offers" not in software.defects:
                return software
            fewer = {resource: amount - 1.0 if amount >= 1.0 else amount for resource, amount in software.offers.items()}
            return replace(software, offers=fewer)

    def look(self, node_id: str) -> Software:
        """As `inspect`, but nothing goes wrong."""
        self._state.look()
        return self._reachable(node_id)

    def stage(self, node_id: str, release: Release) -> None:
        """Put the release's files on the node."""
        subject = Subject(node=node_id, release=release.id)
        with self._state.change() as now, self._faults.around("stage", subject, Code.SYS_STAGE):
            software = self._reachable(node_id)
            if release.id not in software.staged:
                self._state.software.put(node_id, replace(software, staged=(*software.staged[-9:], release.id)))
                self._audit.note(now, "stage", node=node_id, detail=release.id)

    def backup(self, node_id: str, release: Release, operation: str, scope: Sequence[str] = FULL_SCOPE) -> Kept:
        """Keep what runs now; the same operation gets the same backup again.

        Raises PermanentError (`SYS_BACKUP_SPACE`) where the fault `backup_space` strikes: it does not fit.
        """
        subject = Subject(node=node_id, release=release.id)
        with self._state.change() as now, self._faults.around("backup", subject, Code.SYS_BACKUP):
            software = self._reachable(node_id)
            kept = self._state.backups.rows.get(operation)
            if kept is None:
                if self._faults.check("backup_space", subject) is not None:
                    message = f"The backup of {node_id} does not fit on its disk."
                    raise PermanentError(Code.SYS_BACKUP_SPACE, message, remedy="escalator backup prune")
                kept = Kept(
                    id=operation,
                    node=node_id,
                    packages=software.packages,
                    daemon=software.daemon,
                    versions=self._state.node(node_id).versions,
                    scope=tuple(scope),
                    taken_at=now,
                )
                self._state.backups.put(operation, kept)
                self._audit.note(now, "backup", node=node_id, detail=operation)
            return kept

    def run(self, node_id: str, command: str, *, on_node: bool = True) -> tuple[int, str]:
        """Exit code and last line of a command of the operator's that is about this node, and runs there where it says so."""
        with self._state.change() as now:
            if on_node:
                self._reachable(node_id)
            fault = self._faults.check("command", Subject(node=node_id, command=command))
            effect = None if fault is None else fault.effect
            if effect == "hang":
                raise TemporaryError(Code.SYS_COMMAND, f"Simulated: {command} did not end in time.")
            code = {"fail": 1, "retry": 75}.get(effect or "", 0)
            self._audit.note(now, "command", node=node_id, detail=f"{command} {code}")
            return code, f"{command} says {'so' if code == 0 else 'no'}"

    def kept(self, operation: str) -> Kept | None:
        """The backup that this operation took."""
        return self._state.backups.rows.get(operation)

    def kept_on(self, node_id: str) -> Sequence[Kept]:
        """Every backup on the node, oldest first."""
        self._reachable(node_id)
        return sorted((k for k in self._state.backups.rows.values() if k.node == node_id), key=lambda k: (k.taken_at, k.id))

    def damage(self, operation: str) -> None:
        """Somebody changes what a backup holds."""
        with self._state.change() as now:
            kept = self._state.backups.rows[operation]
            self._state.backups.put(operation, replace(kept, damaged=True))
            self._audit.note(now, "backup-damaged", node=kept.node, detail=operation)

    def prune(self, node_id: str, operations: Iterable[str], ended_before: float | None) -> int | None:
        """Remove these backups, and operations that ended before that time; how many of the latter.

        None, and nothing is removed, while an operation is under way on the node.
        """
        with self._state.change() as now, self._faults.around("drop_backup", Subject(node=node_id), Code.SYS_BACKUP):
            self._reachable(node_id)
            if self._state.at_work[node_id]:
                return None
            for name in operations:
                self._state.backups.drop(name)
                self._audit.note(now, "backup-pruned", node=node_id, detail=name)
            old = [
                row.id
                for row in self._state.operations.rows.values()
                if row.node == node_id and ended_before is not None and row.ends_at is not None and row.ends_at < ended_before
            ]
            for name in old:
                self._state.operations.drop(name)
            return len(old)

    def _reachable(self, node_id: str) -> Software:
        node = self._state.node(node_id)
        software = self._state.software.rows[node_id]
        if node.state != "up" or (software.cut_off_until and software.cut_off_until > self._state.clock.now()):
            raise TemporaryError(Code.SYS_UNREACHABLE, f"Node {node_id} does not answer.")
        return software


def expected_daemon(release: Release) -> str | None:
    """Version that the running daemon tells once the release is in force; None when the release has no daemon."""
    daemon = release.spec.daemon
    if daemon is None:
        return None
    return daemon.expect or next((package.version for package in release.spec.packages), release.spec.version)


def reboots(release: Release) -> bool:
    """Whether a node has to reboot before it runs the release."""
    return release.spec.reboot == "always" or (release.spec.reboot == "auto" and release.spec.impact == "reboot")
