"""Failures as people see them: code, message, every problem, and what to do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TextIO

from escalator.model.errors import EscalatorError, InputError
from escalator.model.explanations import EXPLANATIONS
from escalator.model.printable import printable

INPUT = 2
"""Exit code of what is wrong with an input."""


class UsageError(Exception):
    """The command was called in a way that cannot be; it ends with exit code 2."""


def no_timeout_without(given: argparse.Namespace, waiting: str) -> None:
    """Raise UsageError for a --timeout of a command that waits for nothing, as it was not told to."""
    if given.timeout is not None and not getattr(given, waiting):
        raise UsageError(f"--timeout says how long to wait; it needs --{waiting}.")


class ServerError(Exception):
    """The server's problem document, as it came: `code` may be one that this program does not know."""

    def __init__(self, code: str, message: str, *, remedy: str = "", problems: Sequence[str] = (), exit_code: int = 1) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.problems = tuple(problems)
        self.exit_code = exit_code


def report(
    error: EscalatorError | ServerError | UsageError, stream: TextIO, fill: Callable[[str, str], str] = lambda remedy, _: remedy
) -> int:
    """Print the failure and return the exit code. `fill` puts names into the remedy of a code."""
    if isinstance(error, UsageError):
        stream.write(f"{error}\n")
        return 2
    if isinstance(error, EscalatorError):
        problems = tuple(map(str, error.problems)) if isinstance(error, InputError) else ()
        code, exit_code = error.code.value, int(error.exit_code)
    else:
        code, exit_code, problems = error.code, error.exit_code, error.problems
    stream.write(f"{code}: {printable(error.message)}\n")
    stream.writelines(f"  - {problem}\n" for problem in printable(problems))
    # What is wrong with an input its message and its problems say.
    what_to_do = error.remedy or (usual(code) if exit_code != INPUT else "")
    if what_to_do:
        stream.write(f"What to do: {fill(what_to_do, code)}\n")
    return exit_code


def usual(code: str) -> str:
    """What is done as a rule about a failure that says nothing of its own about it."""
    return next((said.then for known, said in EXPLANATIONS.items() if known.value == code), "")
