"""Leases of keys at a simulated world's lock service."""

from __future__ import annotations

from escalator.world.records import LeaseRow
from escalator.world.state import State


class Locks:
    """Who has which key, and until when."""

    def __init__(self, state: State) -> None:
        self._state = state

    def owner(self, key: str) -> str | None:
        """Who has the key now; None when nobody does."""
        self._state.look()
        row = self._state.leases.rows.get(key)
        return row.owner if row is not None and row.until > self._state.clock.now() else None

    def take(self, key: str, owner: str, ttl_s: float) -> str | None:
        """Give the owner the key for so many seconds; who has it when that is somebody else."""
        has = self.owner(key)
        if has not in (None, owner):
            return has
        with self._state.change():
            self._state.leases.put(key, LeaseRow(owner=owner, until=self._state.clock.now() + ttl_s))
        return None

    def give_back(self, key: str) -> None:
        """Nobody has the key any more."""
        with self._state.change():
            self._state.leases.put(key, LeaseRow(owner="", until=0.0))
