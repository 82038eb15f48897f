"""Detached operations on nodes: an upgrade or a rollback that goes on without anybody watching."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from escalator.model.inventory import Node, shared
from escalator.model.release import Impact, Release, spares_instances
from escalator.world.audit import Audit
from escalator.world.faults import FaultBook
from escalator.world.records import Change, Kept, Operation, Outcome, Pending, Software
from escalator.world.rules import BACK_DEFECTS, DEFECTS, Subject
from escalator.world.software import SoftwareDepot, expected_daemon, reboots
from escalator.world.state import State
from escalator.world.timings import Timings

_ENDS: Mapping[Outcome, tuple[Literal["done", "failed", "lost", "retry"], int | None]] = MappingProxyType(
    {"done": ("done", 0), "failed": ("failed", 100), "retry": ("retry", 75), "lost": ("lost", None)}
)
"""State and exit code in which an operation ends, by what was decided when it began."""


class Operations:
    """Start them once per id, and ask where they stand."""

    def __init__(self, state: State, timings: Timings, faults: FaultBook, audit: Audit, depot: SoftwareDepot) -> None:
        self._state = state
        self._timings = timings
        self._faults = faults
        self._audit = audit
        self._depot = depot
        self.judge: Callable[[float, Node], None] = lambda _now, _node: None
        """What else is wrong with changing a node now."""
        state.handlers["operation"] = self._end

    def get(self, node_id: str, operation: str) -> Operation | None:
        """Where the operation stands; None when the node knows none of that id. Raises TemporaryError while it is down."""
        self._depot.look(node_id)
        found = self._state.operations.rows.get(operation)
        return found if found is not None and found.node == node_id else None

    def upgrade(self, node_id: str, release: Release, operation: str) -> None:
        """Start the upgrade; nothing happens when this operation was started before."""
        with self._state.change() as now:
            if operation in self._state.operations.rows:
                return
            software = self._depot.look(node_id)
            node = self._state.node(node_id)
            change = _wanted(release)
            if _satisfied(node, software, change):
                draft = _draft(now, node_id, release, operation, change)
                self._state.operations.put(operation, replace(draft, state="not-needed", ends_at=now, exit_code=0))
                self._audit.note(now, "upgrade-not-needed", node=node_id, detail=release.id)
                return
            subject = Subject(node=node_id, release=release.id)
            defects = tuple(kind for kind in DEFECTS if self._faults.check(kind, subject) is not None)
            versions = shared({**node.versions, **change.versions})
            if self._faults.check("asks_reboot", subject) is not None:
                change = replace(change, reboot=True)
            nominal_s = release.spec.expected_s.get("upgrade", self._timings.upgrade_s)
            takes_s = self._timings.real(nominal_s, "upgrade", operation)
            draft = _draft(now, node_id, release, operation, replace(change, versions=versions, defects=defects))
            self._begin(node, draft, takes_s, release.spec.impact)
            self._perhaps_crash(now, subject, takes_s)

    def rollback(self, node_id: str, release: Release, kept: Kept, operation: str, *, forced: bool = False) -> None:
        """Start putting the node back on what was kept; nothing happens when this operation was started before.

        When it is `forced`, what is under way on the node is lost first.
        """
        with self._state.change() as now:
            if operation in self._state.operations.rows:
                return
            self._depot.look(node_id)
            if forced:
                self.break_off(now, node_id)
            node = self._state.node(node_id)
            change = _way_back(node, self._depot.look(node_id), release, kept)
            subject = Subject(node=node_id, release=release.id)
            defects = tuple(left for kind, left in BACK_DEFECTS.items() if self._faults.check(kind, subject) is not None)
            reboot = change.reboot or self._faults.check("asks_reboot", subject) is not None
            change = replace(change, defects=defects, reboot=reboot)
            takes_s = self._timings.real(self._timings.rollback_s, "rollback", operation)
            draft = replace(_draft(now, node_id, release, operation, change), kind="restore" if forced else "rollback")
            if kept.damaged:  # seen before anything is touched
                self._state.operations.put(operation, replace(draft, state="failed", ends_at=now, exit_code=1))
                self._audit.note(now, "rollback-refused", node=node_id, detail=release.id)
                return
            self._begin(node, draft, takes_s, release.spec.impact)

    def break_off(self, now: float, node_id: str) -> None:
        """Lose the operations under way on a node that went down. Call it inside a change."""
        for operation_id in list(self._state.at_work[node_id]):
            operation = self._state.operations.rows[operation_id]
            self._state.cancel(operation.event)
            self._close(now, operation, "lost")

    def _begin(self, node: Node, draft: Operation, takes_s: float, impact: Impact) -> None:
        now = draft.started_at
        fate = self._faults.fate(draft.kind, Subject(node=node.id, release=draft.release), takes_s)
        ends_at = None if fate.takes_s is None else now + fate.takes_s
        event = 0 if ends_at is None else self._state.schedule(ends_at, "operation", draft.id)
        row = replace(draft, outcome=fate.outcome, ends_at=ends_at, event=event, impacted=self._judge(now, node, impact))
        self._state.operations.put(row.id, row)
        self._state.at_work[node.id][row.id] = None
        self._audit.note(now, f"{row.kind}-start", node=node.id, detail=row.release)

    def _judge(self, now: float, node: Node, impact: Impact) -> tuple[str, ...]:
        """Record what a careful manager would not have let happen; the instances that are impacted."""
        if impact != "none":
            self.judge(now, node)
        if "compute" in node.roles and not node.maintenance and impact != "none":
            message = "the node was changed while instances could land on it"
            self._audit.incident(now, "changed-in-service", node.id, None, message)
        if spares_instances(impact):
            return ()
        for instance_id in sorted(self._state.inbound[node.id]):
            self._audit.incident(now, "changed-under", node.id, instance_id, "the instance was on its way to the node")
        running = []
        for instance_id in sorted(self._state.on_node[node.id]):
            instance = self._state.instance(instance_id)
            if self._audit.carries_business(instance, now):
                message = "the instance carried business when its node was changed"
                self._audit.incident(now, "changed-under", node.id, instance_id, message)
            if instance.running:
                running.append(instance_id)
                self._audit.impact(now, instance, begins=True)
        return tuple(running)

    def _perhaps_crash(self, now: float, subject: Subject, takes_s: float) -> None:
        fault = self._faults.check("node_crash", subject)
        if fault is None:
            return
        self._state.schedule(now + takes_s / 2, "crash", subject.node)
        if fault.effect in ("fail", "slow", "retry"):
            factor = fault.factor if fault.effect == "slow" else 1.0
            down_s = self._timings.real(self._timings.reboot_s) * factor
            self._state.schedule(now + takes_s / 2 + down_s, "boot", subject.node)

    def _end(self, operation_id: str, at: float) -> None:
        operation = self._state.operations.rows[operation_id]
        software = self._state.software.rows[operation.node]
        change = operation.change
        if change is not None and operation.outcome in ("done", "lost"):
            self._apply(operation, software, change)
        elif change is not None and operation.kind == "upgrade":
            # An installer that fails leaves what it had unpacked until then.
            half = dict(list(change.packages.items())[: len(change.packages) // 2])
            self._state.software.put(operation.node, replace(software, packages={**software.packages, **half}))
        self._close(at, operation, operation.outcome)

    def _close(self, at: float, operation: Operation, outcome: Outcome) -> None:
        state, exit_code = _ENDS[outcome]
        self._state.operations.put(operation.id, replace(operation, state=state, exit_code=exit_code, ends_at=at))
        self._state.at_work[operation.node].pop(operation.id, None)
        self._audit.note(at, f"{operation.kind}-{state}", node=operation.node, detail=operation.release)
        for instance_id in operation.impacted:
            instance = self._state.instances.rows.get(instance_id)
            if instance is not None:
                self._audit.impact(at, instance, begins=False)

    def _apply(self, operation: Operation, software: Software, change: Change) -> None:
        packages = dict(change.packages) if operation.kind != "upgrade" else {**software.packages, **change.packages}
        if "packages" in change.defects:
            packages.pop(next(iter(change.packages), ""), None)
        # The installer restarts the daemon; what needs a boot (kernel, hypervisor) comes into force with it.
        daemon = software.daemon if "daemon" in change.defects else change.daemon or software.daemon
        pending = Pending(versions=change.versions) if change.reboot else None
        after = replace(software, packages=shared(packages), daemon=daemon, defects=change.defects, pending=pending)
        if not change.reboot:
            node = self._state.node(operation.node)
            self._state.put_node(node.model_copy(update={"versions": shared(change.versions)}))
        self._state.software.put(operation.node, after)


def _draft(now: float, node: str, release: Release, operation: str, change: Change) -> Operation:
    return Operation(
        id=operation,
        node=node,
        kind="upgrade",
        release=release.id,
        state="running",
        outcome="done",
        started_at=now,
        ends_at=None,
        change=change,
    )


def _wanted(release: Release) -> Change:
    pins = {package.name: package.version for package in release.spec.packages}
    versions = {str(layer): version for layer, version in release.spec.layers.items()}
    return Change(packages=shared(pins), daemon=expected_daemon(release), versions=shared(versions), reboot=reboots(release))


def _way_back(node: Node, software: Software, release: Release, kept: Kept) -> Change:
    if "versions" not in kept.scope:  # configuration and state alone: the software stays
        return Change(packages=software.packages, daemon=software.daemon, versions=node.versions, reboot=False)
    needs_boot = reboots(release) and dict(node.versions) != dict(kept.versions)
    return Change(packages=kept.packages, daemon=kept.daemon, versions=kept.versions, reboot=needs_boot)


def _satisfied(node: Node, software: Software, change: Change) -> bool:
    versions = node.versions if software.pending is None else software.pending.versions
    return (
        not software.defects
        and change.packages.items() <= dict(software.packages).items()
        and (change.daemon is None or change.daemon == software.daemon)
        and change.versions.items() <= dict(versions).items()
        and bool(change.packages or change.versions)
    )
