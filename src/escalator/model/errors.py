"""The one error tree. Foreign errors are translated where they enter and kept as the cause.

    EscalatorError
    ├── InputError          what was given is wrong          exit 2   HTTP 422
    ├── NotFoundError       no such object                   exit 2   HTTP 404
    ├── ConditionsError     the conditions do not hold       exit 3   HTTP 409
    ├── ConflictError       another change came first        exit 6   HTTP 409
    ├── NotAllowedError     who asked may not do this        exit 7   HTTP 401 or 403
    ├── TemporaryError      may succeed when tried again     exit 1   HTTP 503
    └── PermanentError      will not succeed by trying again exit 1   HTTP 502

Every error has a stable machine word (`code`, `ESC-<BLOCK>-<nnn>`), the same in log, event, API problem and CLI.
The message adds what this layer knows and does not repeat the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from escalator.model.codes import Code


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document: where it is and what to do about it."""

    path: str
    message: str
    line: int | None = None
    origin: str = ""
    """The file or variable that it stands in, where there are several."""

    def __str__(self) -> str:
        places = [self.origin] if self.origin else []
        places += [f"line {self.line}"] if self.line is not None else []
        where = f"{', '.join(places)}: " if places else ""
        return f"{where}{self.path or 'document'}: {self.message}"


class EscalatorError(Exception):
    """Something failed; `code` says what, `remedy` what a person can do about it."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, code: Code, message: str, *, remedy: str = "", facts: Mapping[str, object] = MappingProxyType({})) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.facts = dict(facts)

    def __str__(self) -> str:
        tail = f" {self.remedy}" if self.remedy else ""
        return f"{self.code.value}: {self.message}{tail}"

    def __reduce__(self) -> tuple[Callable[..., EscalatorError], tuple[type[EscalatorError], str], dict[str, Any]]:
        """How it gets from one process to another: by default only the message would be given to the other one."""
        return _again, (type(self), self.message), self.__dict__


def _again(kind: type[EscalatorError], message: str) -> EscalatorError:
    return kind.__new__(kind, message)


class InputError(EscalatorError):
    """What was given is wrong. `problems` lists every problem found, not only the first."""

    exit_code = 2
    http_status = 422

    def __init__(self, code: Code, message: str, *, problems: Sequence[Problem] = (), remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n  ".join([super().__str__(), *map(str, self.problems)])


class NotFoundError(EscalatorError):
    """No object of that name exists."""

    exit_code = 2
    http_status = 404


class ConditionsError(EscalatorError):
    """The conditions of what was asked do not hold."""

    exit_code = 3
    http_status = 409


class ConflictError(EscalatorError):
    """The object is not in a state, or not at the revision, that allows what was asked."""

    exit_code = 6
    http_status = 409


class NotAllowedError(EscalatorError):
    """Who asked may not do this."""

    exit_code = 7
    http_status = 403


class TemporaryError(EscalatorError):
    """The outside world did not answer as it should; trying again may help. Only the engine decides on retry."""

    http_status = 503


class PermanentError(EscalatorError):
    """The outside world refused; trying again will not help."""

    http_status = 502
