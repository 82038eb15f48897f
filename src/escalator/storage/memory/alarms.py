"""Alarms in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from escalator.model.alarm import Alarm


class MemoryAlarms:
    """Alarms by their id."""

    def __init__(self) -> None:
        self._rows: dict[str, Alarm] = {}

    async def put(self, alarm: Alarm, *, per_server: int, per_project: int) -> bool:
        """Store, in place of the one of that id; False when its server or project has as many other live ones."""
        others = [row for row in self._rows.values() if row.id != alarm.id and row.ended_at is None]
        if sum(row.server == alarm.server for row in others) >= per_server:
            return False
        if sum(row.project == alarm.project for row in others) >= per_project:
            return False
        self._rows[alarm.id] = alarm
        return True

    async def get(self, alarm_id: str) -> Alarm | None:
        """Return the alarm, or None."""
        return self._rows.get(alarm_id)

    async def of_servers(self, servers: Collection[str]) -> Sequence[Alarm]:
        """Return all of these instances, by time, then by id."""
        wanted = set(servers)
        return sorted((row for row in self._rows.values() if row.server in wanted), key=lambda row: (row.registered_at, row.id))

    async def mark(self, alarm_id: str, **changes: Any) -> Alarm | None:  # noqa: ANN401 - fields of an alarm
        """Change a live alarm; None when there is none."""
        row = self._rows.get(alarm_id)
        if row is None or row.ended_at is not None:
            return None
        self._rows[alarm_id] = replace(row, **changes)
        return self._rows[alarm_id]

    async def end(self, alarm_id: str, at: float) -> Alarm | None:
        """End a live alarm and return it as it was; None when there is none."""
        row = self._rows.get(alarm_id)
        if row is None or row.ended_at is not None:
            return None
        if row.notice is None:
            del self._rows[alarm_id]
        else:
            self._rows[alarm_id] = replace(row, ended_at=at)
        return row

    async def forget(self, before: float) -> None:
        """Forget those that ended before that time."""
        self._rows = {key: row for key, row in self._rows.items() if row.ended_at is None or row.ended_at >= before}
