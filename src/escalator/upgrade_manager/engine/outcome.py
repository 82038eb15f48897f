"""What became of a step, as a value: failure is data, retry is the engine's policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from escalator.model.codes import Code
from escalator.model.explanations import EXPLANATIONS


class Status(StrEnum):
    """Ends of a step."""

    DONE = "done"
    HELD = "held"  # the campaign's gate is closed; nothing was done
    WAIT = "wait"  # not yet; the step wants to be tried again after `wait_s`, or at a message on `topic`
    SKIP = "skip"  # the node is to be left out, by policy or by a VNF manager's word
    FAILED = "failed"
    ABORT = "abort"  # the campaign is being aborted
    LATER = "later"  # the turn is given back: nothing was touched, and its window is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a step, with why. `data` is what later parts of the course need."""

    status: Status
    code: str = ""
    message: str = ""
    wait_s: float = 0.0
    topic: str = "control"
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal."""
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Outcome:
        """The outcome that the journal holds."""
        return Outcome(**{**value, "status": Status(value["status"])})


class Held(Exception):  # noqa: N818 - no error: the step goes on where it is
    """Raised inside of a step: nothing more may begin in it now; what is done stays, and it is repeated when it may."""


def done(message: str = "", **data: object) -> Outcome:
    """The step has done what it is for."""
    return Outcome(status=Status.DONE, message=message, data=data)


def failed(code: Code | str, message: str) -> Outcome:
    """The step has failed for good. Where nothing is said of why, what its code means is: people are never shown nothing."""
    word = code.value if isinstance(code, Code) else code
    return Outcome(status=Status.FAILED, code=word, message=message or _meaning(word))


def skip(code: Code, message: str) -> Outcome:
    """The node is to be left out; as for `failed`, something is said of it in any case."""
    return Outcome(status=Status.SKIP, code=code.value, message=message or _meaning(code.value))


def wait(wait_s: float, message: str, topic: str = "control") -> Outcome:
    """Not yet."""
    return Outcome(status=Status.WAIT, message=message, wait_s=wait_s, topic=topic)


def _meaning(code: str) -> str:
    return next((found.meaning for known, found in EXPLANATIONS.items() if known.value == code), "no reason was given")
