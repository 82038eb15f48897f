"""The port to gates. A driver that cannot tell says no: a gate is never passed because it could not be asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

Moment = Literal["before", "before_node", "between"]


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


@dataclass(frozen=True, slots=True)
class Answer:
    """What it says, with the last line of why, bounded."""

    verdict: Verdict
    said: str = ""


class Gate(Protocol):
    """One gate of the settings."""

    @property
    def manual(self) -> bool:
        """Whether a person opens it: it is not asked then."""
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
