"""Probe VMs of the manager in a simulated world: they boot on nodes that are out of service, when they are let in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from escalator.model.inventory import Instance
from escalator.world.audit import Audit
from escalator.world.faults import FaultBook
from escalator.world.moves import cell_of
from escalator.world.records import ProbeRow
from escalator.world.rules import Subject
from escalator.world.state import State
from escalator.world.tenants import Tenants
from escalator.world.timings import Timings

PROJECT = "escalator"
SIZE: Mapping[str, float] = MappingProxyType({"pcpu": 1.0, "mem_mib": 512.0})
"""What a probe VM takes of a node."""


class Probes:
    """Boot, look at and delete probe VMs; open and shut the doors of nodes to them."""

    def __init__(self, state: State, timings: Timings, faults: FaultBook, audit: Audit, tenants: Tenants) -> None:
        self._state = state
        self._timings = timings
        self._faults = faults
        self._audit = audit
        self._tenants = tenants
        state.handlers["probe"] = self._end

    def __contains__(self, instance_id: str) -> bool:
        return instance_id in self._state.probes.rows

    @property
    def names(self) -> tuple[str, ...]:
        """All that there are."""
        self._state.look()
        return tuple(self._state.probes.rows)

    @property
    def open_doors(self) -> tuple[str, ...]:
        """Nodes out of service that let a probe in."""
        self._state.look()
        return tuple(self._state.doors.rows)

    def shut(self, node_id: str) -> bool:
        """Whether the node is out of service and lets no probe in."""
        self._state.look()
        return self._state.node(node_id).maintenance and node_id not in self._state.doors.rows

    def open_door(self, node_id: str) -> None:
        """Let probes onto a node that is out of service."""
        with self._state.change():
            if self._state.node(node_id).maintenance:
                self._state.doors.put(node_id, "open")

    def shut_door(self, node_id: str) -> None:
        """Let none in any more."""
        with self._state.change():
            self._state.doors.drop(node_id)

    def boot(self, name: str, node_id: str) -> None:
        """Ask for one; what stands against it is seen by `get`. Raises PermanentError when there is no such node."""
        with self._state.change() as now:
            if name in self._state.probes.rows:
                return
            node = self._state.node(node_id)
            row = ProbeRow(name=name, node=node_id)
            instance = Instance(id=name, name=name, project=PROJECT, node=node_id, state="building", demand=dict(SIZE))
            instance = instance.model_copy(update={"vacate": "in-place", "task_state": "spawning"})
            cells = self._state.usage.fit(node, instance)
            barred = node.maintenance and node_id not in self._state.doors.rows
            if node.state != "up" or barred or cells is None:
                self._state.probes.put(name, replace(row, no_host=True, message="No valid host was found."))
                return
            fate = self._faults.fate(
                "boot", Subject(node=node_id, instance=name), self._timings.real(self._timings.start_s, name)
            )
            event = 0 if fate.takes_s is None else self._state.schedule(now + fate.takes_s, "probe", name)
            self._state.probes.put(name, replace(row, outcome=fate.outcome, event=event))
            self._state.place(instance.model_copy(update={"numa_cell": cell_of(cells)}))
            self._audit.note(now, "probe-boot", node=node_id, instance=name)

    def get(self, name: str) -> tuple[ProbeRow, Instance | None] | None:
        """The probe VM and its instance, if it was placed; None when there is none of that name."""
        self._state.look()
        row = self._state.probes.rows.get(name)
        return None if row is None else (row, self._state.instances.rows.get(name))

    def delete(self, name: str) -> None:
        """Take it away, whatever is under way with it."""
        with self._state.change():
            row = self._state.probes.rows.get(name)
            if row is None:
                return
            self._state.cancel(row.event)
            self._tenants.delete(name)
            self._state.probes.drop(name)

    def _end(self, name: str, at: float) -> None:
        row = self._state.probes.rows[name]
        instance = self._state.instance(name)
        state = "active" if row.outcome == "done" and self._state.node(instance.node).state == "up" else "error"
        self._state.place(instance.model_copy(update={"state": state, "task_state": None}))
        if state == "error":
            self._state.probes.put(name, replace(row, message="simulated failure of the boot"))
        self._audit.note(at, f"probe-{state}", node=instance.node, instance=name)
