"""Commands of the operator's that campaigns name: hooks and tests. What is run stands in the settings alone.

A command runs on the manager's host without a shell and without our secrets, or on the node over the driver's own link. What it
is about stands in its environment. It may be run again after a restart of the manager: `ESCALATOR_OPERATION` is the same then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.node_settings import NamedCommand
from escalator.processes import filled, found_program, passed_on, running
from escalator.system_support.left_behind import LeftBehind
from escalator.system_support.port import Call, Ran, SystemSupport

PLACEHOLDER = "{"
"""A program whose path depends on what the command is about is known when it is run only."""
LAST_LINES = 5
"""Lines of what a command says that are kept."""
LINE = 300
"""Characters of each of them."""


class NamedCommands:
    """The entries of the setting `commands`. In `folder` it is kept what runs here, for the manager after this one."""

    def __init__(self, entries: Mapping[str, NamedCommand], environment: Mapping[str, str], folder: Path | None = None) -> None:
        self._entries = dict(entries)
        self._left_behind = LeftBehind(folder)
        self._environment = passed_on(environment)

    @property
    def names(self) -> Sequence[str]:
        """All names, in order."""
        return sorted(self._entries)

    def knows(self, name: str) -> bool:
        """Whether there is one of that name."""
        return name in self._entries

    def on_node(self, name: str) -> bool:
        """Whether the command runs on the node; an unknown one does not."""
        return name in self._entries and self._entries[name].where == "node"

    def lack(self, name: str) -> EscalatorError | None:
        """That its program is not there, or may not be run; None too of one that the settings do not have."""
        entry = self._entries.get(name)
        if entry is None or entry.where == "node" or PLACEHOLDER in entry.argv[0]:
            return None
        return None if found_program(entry.argv[0], self._environment) else _not_there(name, entry.argv[0])

    async def run(self, call: Call, system: SystemSupport | None = None) -> Ran:
        """Run it to its end, on the node by `system` where its entry says so.

        Raises PermanentError when it cannot be run at all, TemporaryError when it takes too long or the node does not answer.
        """
        entry = self._entries.get(call.command)
        if entry is None:
            remedy = f"Add commands.{call.command} to the settings, or leave it out of the campaign."
            raise PermanentError(Code.SYS_NO_COMMAND, f"The settings have no command {call.command!r}.", remedy=remedy)
        argv = _argv(entry, call)
        if entry.where == "manager":
            return await self._here(argv, call, entry.timeout_s)
        if system is None or not system.runs:
            what = f"The command {call.command} is to run on the node, and"
            driver = "nothing says which" if system is None else f"the driver {system.name} cannot do that"
            raise PermanentError(
                Code.SYS_UNSUPPORTED, f"{what} {driver}.", remedy=f"Set commands.{call.command}.where to manager."
            )
        return await system.run(call.node, argv, call.environment, entry.timeout_s)

    async def _here(self, argv: Sequence[str], call: Call, timeout_s: float) -> Ran:
        program = found_program(argv[0], self._environment)
        if program is None:
            raise _not_there(call.command, argv[0])
        environment = {**self._environment, **call.environment}
        await self._left_behind.ended(call.operation, timeout_s)
        started = self._left_behind.noting(call.operation, (program, *argv[1:]))
        try:
            async with (
                asyncio.timeout(timeout_s),
                running(started, b"", environment, Code.SYS_NO_COMMAND) as process,
            ):
                ended = await process
        except TimeoutError as error:
            message = f"The command {call.command} did not end within {timeout_s:g} s."
            raise TemporaryError(Code.SYS_COMMAND, message) from error
        finally:
            self._left_behind.forget(call.operation)
        return Ran(ended.code, last_lines(f"{ended.last}\n{ended.said}"), ended.output)


def _not_there(name: str, program: str) -> PermanentError:
    remedy = f"Put {program} on this host, executable, or correct commands.{name}.argv in the settings and restart the server."
    return PermanentError(Code.SYS_NO_COMMAND, f"The command {name} is not there: {program}.", remedy=remedy)


def last_lines(text: str) -> tuple[str, ...]:
    """The last lines of what was said, each bounded, with nothing in them that a terminal would obey."""
    lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()]
    return tuple(line[:LINE] for line in lines if line)[-LAST_LINES:]


def _argv(entry: NamedCommand, call: Call) -> list[str]:
    """The command with what it is about filled in; no value can become an option."""
    values = {"node": call.node, "campaign": call.campaign, "release": call.release, "address": call.address}
    for value in values.values():
        if value.startswith("-"):
            raise PermanentError(Code.SYS_CONFIG, f"{value[:80]!r} cannot be an argument of a command.")
    return filled(entry.argv, values)
