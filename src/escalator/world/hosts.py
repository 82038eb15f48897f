"""Nodes as the cloud sees them: compute services, reboots, crashes."""

from __future__ import annotations

import uuid
from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.inventory import Node, shared
from escalator.world.audit import Audit
from escalator.world.faults import FaultBook
from escalator.world.moves import Moves
from escalator.world.operations import Operations
from escalator.world.records import Software
from escalator.world.rules import Subject
from escalator.world.state import State
from escalator.world.timings import Timings

_NAMESPACE = uuid.UUID("5c1e1c2a-6f0e-4c58-9c3c-0e7a50b2a6d1")
"""Any fixed value: boot ids are the same in every run."""


class Hosts:
    """Cordon, restore, reboot, crash."""

    def __init__(
        self, state: State, timings: Timings, faults: FaultBook, audit: Audit, moves: Moves, operations: Operations
    ) -> None:
        self._state = state
        self._timings = timings
        self._faults = faults
        self._audit = audit
        self._moves = moves
        self._operations = operations
        state.handlers |= {"boot": self._boot, "crash": self._crash}

    def get(self, node_id: str) -> Node:
        """The node now. Raises PermanentError when there is none."""
        self._state.look()
        return self._state.node(node_id)

    def unavailable(self) -> dict[str, str]:
        """Nodes that are down or disabled now, each with the reason."""
        self._state.look()
        return {
            node.id: "its compute service is down" if node.state == "down" else node.maintenance_reason or "no reason given"
            for node in (self._state.nodes.rows[node_id] for node_id in self._state.unavailable)
        }

    def has_agent(self, node_id: str) -> bool:
        """Whether the network agent of the node reports."""
        return self.get(node_id).state == "up" and "agents" not in self._state.software.rows[node_id].defects

    def cordon(self, node_id: str, reason: str) -> None:
        """Disable the node's compute service.

        Raises PermanentError with `CLD_FOREIGN_CORDON` when it is disabled for another reason.
        """
        with self._state.change() as now, self._faults.around("cordon", Subject(node=node_id), Code.CLD_REFUSED):
            node = self._state.node(node_id)
            if node.maintenance and node.maintenance_reason != reason:
                raise PermanentError(
                    Code.CLD_FOREIGN_CORDON,
                    f"Node {node_id} is disabled already ({node.maintenance_reason or 'no reason given'}).",
                    remedy="Whoever disabled it has to enable it first.",
                )
            if not node.maintenance:
                self._set(node, enabled=False, reason=reason)
                self._audit.note(now, "cordon", node=node_id, detail=reason)

    def restore(self, node_id: str, *, enabled: bool, reason: str | None) -> None:
        """Put the node's compute service back to what was found."""
        with self._state.change() as now, self._faults.around("uncordon", Subject(node=node_id), Code.CLD_REFUSED):
            node = self._state.node(node_id)
            if (node.maintenance, node.maintenance_reason) != (not enabled, None if enabled else reason):
                self._set(node, enabled=enabled, reason=reason)
                self._audit.note(now, "restore" if enabled else "cordon", node=node_id, detail=reason or "")

    def boot_id(self, node_id: str) -> str | None:
        """The node's boot id; None while it does not answer."""
        node = self.get(node_id)
        cut_off = self._state.software.rows[node_id].cut_off_until > self._state.clock.now()
        return self._boot_id(node_id) if node.state == "up" and not cut_off else None

    def reboot(self, node_id: str, boot_id: str) -> None:
        """Begin a reboot, unless the node has another boot id already or is on its way.

        Raises TemporaryError (`SYS_REBOOT`) where a fault says so.
        """
        with self._state.change() as now:
            node = self._state.node(node_id)
            if node.state != "up" or self._boot_id(node_id) != boot_id:
                return
            software = self._state.software.rows[node_id]
            takes_s = self._timings.real(self._timings.reboot_s, "reboot", node_id, software.boot)
            fate = self._faults.fate("reboot", Subject(node=node_id), takes_s)
            if fate.outcome == "hang":
                return
            if fate.outcome == "retry":
                raise TemporaryError(Code.SYS_REBOOT, f"Node {node_id} did not take the order to reboot.")
            self._audit.note(now, "reboot-start", node=node_id)
            self._down(node, now, planned=True)
            if fate.outcome == "done" and fate.takes_s is not None:
                self._state.schedule(now + fate.takes_s, "boot", node_id)

    def power_cycle(self, node_id: str) -> None:
        """Switch the node off and on from outside: one that is down boots."""
        with self._state.change() as now:
            node = self._state.node(node_id)
            self._audit.note(now, "power-cycle", node=node_id)
            if node.state != "up":
                takes_s = self._timings.real(self._timings.reboot_s, "power-cycle", node_id, now)
                self._state.schedule(now + takes_s, "boot", node_id)

    def crash(self, node_id: str, *, at: float | None = None, down_s: float | None = None) -> None:
        """Let the node fail at `at` (now, when null); it is back after `down_s`, or never when null. Times are real."""
        with self._state.change() as now:
            self._state.node(node_id)
            begins = now if at is None else at
            self._state.schedule(begins, "crash", node_id)
            if down_s is not None:
                self._state.schedule(begins + down_s, "boot", node_id)

    def cut_off(self, node_id: str, *, for_s: float) -> None:
        """Let nothing reach the node from outside for a while; what is under way on it goes on. Seconds are real."""
        with self._state.change() as now:
            self._state.node(node_id)
            software = self._state.software.rows[node_id]
            self._state.software.put(node_id, replace(software, cut_off_until=now + for_s))
            self._audit.note(now, "cut-off", node=node_id)

    def _crash(self, node_id: str, at: float) -> None:
        node = self._state.node(node_id)
        if node.state == "up":
            self._audit.note(at, "crash", node=node_id)
            self._down(node, at, planned=False)

    def _down(self, node: Node, at: float, *, planned: bool) -> None:
        self._audit.note(at, "node-down", node=node.id)
        self._state.put_node(node.model_copy(update={"state": "down"}))
        self._moves.break_off(at, node.id)
        interrupted = tuple(i for i in sorted(self._state.on_node[node.id]) if self._interrupt(i, at, planned=planned))
        self._operations.break_off(at, node.id)
        software = self._state.software.rows[node.id]
        self._state.software.put(node.id, replace(software, booting=True, interrupted=interrupted))

    def _interrupt(self, instance_id: str, at: float, *, planned: bool) -> bool:
        """Switch off an instance whose node goes down; whether it ran."""
        instance = self._state.instance(instance_id)
        power = self._state.power.rows.get(instance_id)
        if power is not None:
            self._state.cancel(power.event)
            self._state.power.drop(instance_id)
        if not instance.running:
            return False
        if planned and self._audit.carries_business(instance, at):
            self._audit.incident(at, "rebooted-under", instance.node, instance_id, "the instance ran when its node was rebooted")
        self._state.place(instance.model_copy(update={"state": "stopped", "task_state": None}))
        self._audit.impact(at, instance, begins=True)
        return True

    def _boot(self, node_id: str, at: float) -> None:
        node = self._state.node(node_id)
        if node.state == "up":
            return
        software = self._state.software.rows[node_id]
        versions = node.versions if software.pending is None else software.pending.versions
        self._state.put_node(node.model_copy(update={"state": "up", "versions": shared(versions)}))
        for instance_id in software.interrupted if self._timings.resume_guests else ():
            self._resume(instance_id, node_id, at)
        self._state.software.put(node_id, _booted(software, at))
        self._audit.note(at, "node-up", node=node_id)

    def _resume(self, instance_id: str, node_id: str, at: float) -> None:
        instance = self._state.instances.rows.get(instance_id)
        if instance is not None and instance.node == node_id and instance.state == "stopped":
            self._state.place(instance.model_copy(update={"state": "active"}))
            self._audit.impact(at, instance, begins=False)

    def _set(self, node: Node, *, enabled: bool, reason: str | None) -> None:
        self._state.doors.drop(node.id)
        update = {"maintenance": not enabled, "maintenance_reason": None if enabled else reason}
        self._state.put_node(node.model_copy(update=update))

    def _boot_id(self, node_id: str) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{node_id}/{self._state.software.rows[node_id].boot}"))


def _booted(software: Software, at: float) -> Software:
    return replace(software, boot=software.boot + 1, booting=False, pending=None, interrupted=(), booted_at=at)
