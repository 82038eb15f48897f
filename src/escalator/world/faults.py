"""Faults: what goes wrong in the world, decided when something begins, so that the same world always does the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.world.records import Outcome
from escalator.world.rules import Fault, FaultCount, FaultKind, Subject
from escalator.world.state import State
from escalator.world.timings import Timings, draw


@dataclass(frozen=True, slots=True)
class Fate:
    """How something ends, decided when it begins; `takes_s` is null when it never ends."""

    outcome: Outcome
    takes_s: float | None


class FaultBook:
    """The rules of one world."""

    def __init__(self, state: State, timings: Timings) -> None:
        self._state = state
        self._timings = timings

    def add(self, *faults: Fault) -> None:
        """Add rules; they are asked in the order in which they came, and the first that strikes decides."""
        with self._state.change():
            for fault in faults:
                self._state.faults.put(str(len(self._state.faults.rows)), fault)

    def clear(self) -> None:
        """Forget all rules: from now on nothing more goes wrong."""
        with self._state.change():
            for key in list(self._state.faults.rows):
                self._state.faults.drop(key)
                self._state.fault_counts.drop(key)

    def struck(self) -> dict[Fault, int]:
        """How often each rule struck."""
        counts = self._state.fault_counts.rows
        return {fault: counts.get(key, FaultCount()).struck for key, fault in self._state.faults.rows.items()}

    def check(self, kind: FaultKind, subject: Subject) -> Fault | None:
        """The rule that strikes now, if one does. Counts; call it once per happening, inside a change."""
        for key, fault in self._state.faults.rows.items():
            if fault.concerns(kind, subject):
                count = self._state.fault_counts.rows.get(key, FaultCount())
                strikes = self._strikes(key, fault, count.seen + 1)
                self._state.fault_counts.put(key, FaultCount(seen=count.seen + 1, struck=count.struck + strikes))
                if strikes:
                    return fault
        return None

    def fate(self, kind: FaultKind, subject: Subject, takes_s: float) -> Fate:
        """How something that takes time ends."""
        fault = self.check(kind, subject)
        if fault is None:
            return Fate("done", takes_s)
        match fault.effect:
            case "slow":
                return Fate("done", takes_s * fault.factor)
            case "hang":
                return Fate("hang", None)
            case "fail":
                return Fate("failed", takes_s / 2)
            case "retry" | "lost":
                return Fate(fault.effect, takes_s / 2)

    @contextmanager
    def around(self, kind: FaultKind, subject: Subject, code: Code) -> Iterator[None]:
        """Let a call that is answered at once go wrong as the rules say."""
        fault = self.check(kind, subject)
        effect = fault.effect if fault is not None else None
        what = f"{kind} of {subject.instance or subject.node or subject.vnfm or subject.project}"
        if effect == "fail":
            raise PermanentError(code, f"Simulated: {what} was refused.")
        if effect in ("hang", "retry"):
            raise TemporaryError(code, f"Simulated: {what} got no answer.")
        yield
        if effect == "lost":
            raise TemporaryError(code, f"Simulated: {what} was done and its answer lost.")

    def _strikes(self, key: str, fault: Fault, number: int) -> bool:
        if fault.first is not None or fault.occurrences:
            return number in fault.occurrences or number <= (fault.first or 0)
        if fault.probability is not None:
            return draw(self._timings.seed, "fault", key, number) < fault.probability
        return True
