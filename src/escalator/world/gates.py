"""What the gates of a simulated world say."""

from __future__ import annotations

from escalator.world.records import GateRow
from escalator.world.state import State


class Gates:
    """What each gate says when it is asked; one of which nothing is known goes."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, name: str) -> GateRow:
        """What the gate says now."""
        self._state.look()
        return self._state.gates.rows.get(name, GateRow())

    def put(self, name: str, verdict: str, said: str = "") -> None:
        """Let it say `go`, `not yet` or `no` from now on."""
        with self._state.change():
            self._state.gates.put(name, GateRow(verdict=verdict, said=said))
