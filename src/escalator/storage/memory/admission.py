"""The two doors in memory."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import replace

from escalator.model.progress import Event, NodeTask
from escalator.storage import rules
from escalator.storage.memory.tasks import MemoryTasks
from escalator.storage.port import ImpactRow, NodeSlot


class MemoryAdmission:
    """Node slots, open impacts, and ended impacts in order of their end."""

    def __init__(self, tasks: MemoryTasks) -> None:
        self._tasks = tasks
        self._slots: dict[tuple[str, str], NodeSlot] = {}
        self._impacts: dict[str, ImpactRow] = {}
        self._open: dict[str, ImpactRow] = {}
        self._ended: list[tuple[float, str]] = []

    async def enter_node(self, slot: NodeSlot, decide: Callable[[Sequence[NodeSlot]], str | None]) -> str | None:
        """Take a node slot; None when taken or held already by the same task, else the reason."""
        key = (slot.campaign, slot.node)
        held = self._slots.get(key)
        if held is not None and held.task == slot.task:
            return None
        task = self._tasks.latest(slot.campaign, slot.node)
        gone = None if task is None else rules.not_waiting(slot.task, task.id, task.state)
        reason = gone or decide([*self._slots.values()])
        if reason is None:
            self._slots[key] = slot
        return reason

    async def put_instead(self, seen: NodeTask, task: NodeTask, events: Sequence[Event] = (), *, leave: bool = False) -> None:
        """Store the task where `seen` stands and append the events; raises ConflictError when another stands there."""
        now, slot = self._tasks.latest(seen.campaign, seen.node), self._slots.get((seen.campaign, seen.node))
        state = None if now is None else now.state.value
        begins = slot is not None and slot.task == seen.id
        rules.require_as_seen(seen, None if now is None else now.attempt, state, begins=begins)
        self._tasks.store(task, events)
        if leave:
            self._slots.pop((seen.campaign, seen.node), None)

    async def leave_node(self, campaign: str, node: str, task: str | None = None) -> None:
        """Give the slot back; nothing happens when it is not taken, or by another task than the one named."""
        held = self._slots.get((campaign, node))
        if held is not None and task in (None, held.task):
            del self._slots[campaign, node]

    async def node_slots(self) -> Sequence[NodeSlot]:
        """Return the slots taken, oldest first."""
        return sorted(self._slots.values(), key=lambda slot: (slot.since, slot.campaign, slot.node))

    async def enter_impact(self, row: ImpactRow, since: float, decide: Callable[[Sequence[ImpactRow]], str | None]) -> str | None:
        """Take an impact's slots; None when taken (now or before), else the reason."""
        if row.id in self._impacts:
            return None
        recent = self._ended[bisect_right(self._ended, (since, _LAST)) :]
        reason = decide([*self._open.values(), *(self._impacts[row_id] for _, row_id in recent)])
        if reason is None:
            self._impacts[row.id] = row
            self._open[row.id] = row
        return reason

    async def end_impact(self, row_id: str, at: float) -> None:
        """End an impact; nothing happens when it is not open."""
        row = self._open.pop(row_id, None)
        if row is not None:
            self._impacts[row_id] = replace(row, ended_at=at)
            insort(self._ended, (at, row_id))

    async def withdraw_impact(self, row_id: str) -> None:
        """Forget an open impact by which nothing happened; nothing happens when it is not open."""
        if self._open.pop(row_id, None) is not None:
            del self._impacts[row_id]

    async def impacts(self, campaign: str) -> Sequence[ImpactRow]:
        """Return all impacts of the campaign, oldest first."""
        found = (row for row in self._impacts.values() if row.campaign == campaign)
        return sorted(found, key=lambda row: (row.started_at, row.id))


_LAST = "\U0010ffff"
"""Sorts behind every id: an end at exactly `since` is not after it."""
