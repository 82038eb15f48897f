"""The port to gates. A driver that cannot tell says no: a gate is never passed because it could not be asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

Moment = Literal["before", "before_node", "between", "baseline"]
"""When a gate is asked; `baseline` is when it is to say what it sees before anything changes."""
SEEN_BYTES = 256 * 1024
"""The largest baseline that is kept."""


class Verdict(StrEnum):
    """What a gate says."""

    GO = "go"
    NOT_YET = "not yet"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a gate is asked about."""

    gate: str
    campaign: str
    moment: Moment
    node: str | None = None
    wave: int | None = None
    baseline: str | None = None
    """What the gate saw when the campaign began, in its own words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What it says, with the last line of why, bounded; `seen` is its baseline when it was asked for one."""

    verdict: Verdict
    said: str = ""
    seen: str | None = None


class Gate(Protocol):
    """One gate of the settings."""

    @property
    def manual(self) -> bool:
        """Whether a person opens it: it is not asked then."""
        ...

    @property
    def baseline(self) -> bool:
        """Whether what it sees is held against what it saw when the campaign began: it is asked for that then."""
        ...

    @property
    def retry_s(self) -> float:
        """Pause before it is asked again after `not yet`, seconds."""
        ...

    @property
    def deadline_s(self) -> float:
        """How long `not yet` is taken for an answer, seconds."""
        ...

    async def ask(self, question: Question) -> Answer:
        """Ask it once, within its time-out. Raises nothing: what cannot be asked says no, with why. It may be asked twice."""
        ...
