"""Commands that do the same to several things, which the server is asked for one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cliff.command import Command

from escalator.cli.failures import ServerError
from escalator.model.errors import EscalatorError


def one_by_one(command: Command, names: Sequence[str], ask: Callable[[str], Any]) -> list[Any]:
    """What the server says to each. When one is refused, it is said which were done and which not; raises that error."""
    found: list[Any] = []
    for name in names:
        try:
            found.append(ask(name))
        except (EscalatorError, ServerError):
            if len(names) > 1:
                done, left = ", ".join(names[: len(found)]) or "none", ", ".join(names[len(found) :])
                command.app.stderr.write(f"Done: {done}. Not done: {left}.\n")
            raise
    return found
