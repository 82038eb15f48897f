"""Stopping and starting instances."""

from __future__ import annotations

from typing import Literal

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.inventory import Instance
from escalator.world.audit import Audit
from escalator.world.faults import FaultBook
from escalator.world.records import Power
from escalator.world.rules import Subject
from escalator.world.state import State
from escalator.world.timings import Timings


class PowerSwitch:
    """Stop and start: asked for, and done a little later."""

    def __init__(self, state: State, timings: Timings, faults: FaultBook, audit: Audit) -> None:
        self._state = state
        self._timings = timings
        self._faults = faults
        self._audit = audit
        state.handlers["power"] = self._end

    def stop(self, instance_id: str) -> None:
        """Ask for a stop; nothing happens when the instance is stopped or stopping. Raises TemporaryError when it is busy."""
        self._ask(instance_id, "stopped")

    def start(self, instance_id: str) -> None:
        """Ask for a start; nothing happens when the instance runs or starts.

        Raises TemporaryError when it is busy or its node is down.
        """
        self._ask(instance_id, "active")

    def _ask(self, instance_id: str, to: Literal["stopped", "active"]) -> None:
        with self._state.change() as now:
            instance = self._state.instance(instance_id)
            under_way = self._state.power.rows.get(instance_id)
            if (under_way is not None and under_way.to == to) or (under_way is None and instance.state == to):
                return
            if instance.task_state is not None:
                raise TemporaryError(Code.CLD_BUSY, f"Instance {instance_id} is busy: {instance.task_state}.")
            if self._state.node(instance.node).state != "up":
                raise TemporaryError(Code.CLD_REFUSED, f"Node {instance.node} of instance {instance_id} is down.")
            self._begin(now, instance, to)

    def _begin(self, now: float, instance: Instance, to: Literal["stopped", "active"]) -> None:
        stopping = to == "stopped"
        nominal_s = self._timings.stop_s if stopping else self._timings.start_s
        takes_s = self._timings.real(nominal_s, to, instance.id)
        subject = Subject(node=instance.node, instance=instance.id)
        fate = self._faults.fate("stop" if stopping else "start", subject, takes_s)
        event = 0 if fate.takes_s is None else self._state.schedule(now + fate.takes_s, "power", instance.id)
        self._state.power.put(instance.id, Power(instance=instance.id, to=to, outcome=fate.outcome, event=event))
        task = "powering-off" if stopping else "powering-on"
        self._state.place(instance.model_copy(update={"task_state": task}))
        if stopping and instance.running:
            self._audit.impact(now, instance, begins=True)
        self._audit.note(now, "stop" if stopping else "start", node=instance.node, instance=instance.id)

    def _end(self, instance_id: str, at: float) -> None:
        power = self._state.power.rows[instance_id]
        self._state.power.drop(instance_id)
        instance = self._state.instance(instance_id)
        failed_to = instance.state if power.to == "stopped" else "error"
        reached = power.to if power.outcome == "done" else failed_to
        self._state.place(instance.model_copy(update={"state": reached, "task_state": None}))
        if reached == "active":
            self._audit.impact(at, instance, begins=False)
        self._audit.note(at, reached, node=instance.node, instance=instance_id)
