"""Gates of a simulated cloud: each says what the world has for its name, and goes where that has nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from escalator.vim_interface.gates.manual import ManualGate
from escalator.vim_interface.gates.port import Answer, Gate, Question, Verdict
from escalator.world.gates import Gates as World

BY_HAND = "by-hand"
"""Gates with names that begin so are opened by a person, in a simulation without settings."""


class SimulatedGate:
    """One gate."""

    manual = False
    baseline = False

    def __init__(self, world: World, retry_s: float = 60.0, deadline_s: float = 14400.0) -> None:
        self.retry_s, self.deadline_s = retry_s, deadline_s
        self._world = world

    async def ask(self, question: Question) -> Answer:
        """Answer as the world has it."""
        row = self._world.get(question.gate)
        return Answer(Verdict(row.verdict), row.said)


class EveryGate(Mapping[str, Gate]):
    """Gates of every name: a rehearsal knows the document, and not the settings of the server that it is for."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getitem__(self, name: str) -> Gate:
        """Return the gate of that name."""
        return ManualGate() if name.startswith(BY_HAND) else SimulatedGate(self._world)

    def __iter__(self) -> Iterator[str]:
        """Return none: they are not counted."""
        return iter(())

    def __len__(self) -> int:
        """Return nothing: they are not counted."""
        return 0

    def __contains__(self, name: object) -> bool:
        """Whether there is one of that name: always."""
        return isinstance(name, str)
