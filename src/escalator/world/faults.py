"""Faults: what goes wrong in the world, for which node or instance, how often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from escalator.model.codes import Code
from escalator.model.document import Metadata, Model
from escalator.model.errors import PermanentError, TemporaryError
from escalator.world.timings import Timings, draw

if TYPE_CHECKING:
    from escalator.world.records import Outcome
    from escalator.world.state import State

FaultKind = Literal[
    "live_migration",
    "cold_migration",
    "stop",
    "start",
    "cordon",
    "uncordon",
    "inspect",
    "stage",
    "backup",
    "upgrade",
    "rollback",
    "reboot",
    "node_crash",
    "packages",
    "daemon",
    "health",
    "offers",
    "delivery",
]
DEFECTS: tuple[FaultKind, ...] = ("packages", "daemon", "health", "offers")
"""What a bad release breaks although its installer succeeds; a rollback mends it."""


class Fault(Model):
    """One rule. Without `first`, `occurrences` and `probability` it strikes every time.

    What an effect means for work that takes time: `fail` ends it half-way and leaves things as they were, `hang` never
    ends it, `slow` takes `factor` times as long, `lost` loses the thing itself (a migrated instance, a rebooted node,
    the exit code of an installer), `retry` ends it in a way that a later try may mend. For a call that is answered at
    once: `fail` refuses it, `hang` and `retry` give no answer, `lost` does it and loses the answer.
    """

    kind: FaultKind
    effect: Literal["fail", "hang", "slow", "lost", "retry"] = "fail"
    node: str = "*"
    instance: str = "*"
    release: str = "*"
    vnfm: str = "*"
    first: Annotated[int, Field(ge=1)] | None = None
    """Strike the first so many times."""
    occurrences: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Strike exactly at these times, counted from 1."""
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    factor: Annotated[float, Field(gt=0, le=1000)] = 10.0

    def concerns(self, kind: FaultKind, subject: Subject) -> bool:
        """Whether the rule is about this."""
        return (
            self.kind == kind
            and fnmatchcase(subject.node, self.node)
            and fnmatchcase(subject.instance, self.instance)
            and fnmatchcase(subject.release, self.release)
            and fnmatchcase(subject.vnfm, self.vnfm)
        )


class FaultCount(Model):
    """How often a rule was looked at and how often it struck."""

    seen: int = 0
    struck: int = 0


class FaultsSpec(Model):
    """What a fault file says."""

    faults: tuple[Fault, ...] = ()
    jitter: Annotated[float, Field(ge=0, le=0.95)] | None = None
    """Share by which every duration may be longer or shorter, evenly spread."""


class Faults(Model):
    """A fault file (`kind: Faults`)."""

    api_version: Literal["escalator/v1"] = Field(default="escalator/v1", alias="apiVersion")
    kind: Literal["Faults"] = "Faults"
    metadata: Metadata | None = None
    spec: FaultsSpec = FaultsSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is about to happen, and to what."""

    node: str = ""
    instance: str = ""
    release: str = ""
    vnfm: str = ""


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
            case "fail" | "retry" | "lost":
                return Fate({"fail": "failed", "retry": "retry", "lost": "lost"}[fault.effect], takes_s / 2)  # type: ignore[arg-type]

    @contextmanager
    def around(self, kind: FaultKind, subject: Subject, code: Code) -> Iterator[None]:
        """Let a call that is answered at once go wrong as the rules say."""
        fault = self.check(kind, subject)
        effect = fault.effect if fault is not None else None
        what = f"{kind} of {subject.instance or subject.node or subject.vnfm}"
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
