"""A neighbour that is told by commands of the operator's: Masakari's `on_maintenance`, Pacemaker, Octavia, billing.

Exit code 0: told; 70: not needed for this host; 75: try again; anything else: it could not be told.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.neighbour_settings import Hook as HookSettings
from escalator.processes import TEMPORARY, filled, found_program, passed_on, running
from escalator.vim_interface.neighbours.port import Host

NOT_NEEDED = 70


class Hook:
    """Runs the commands of one entry of `neighbours.hooks`."""

    def __init__(self, name: str, settings: HookSettings, environment: Mapping[str, str]) -> None:
        self.name = name
        self.required = settings.required
        self._settings = settings
        self._environment = passed_on(environment)

    async def in_maintenance(self, host: Host) -> bool:  # noqa: ARG002 - the port's
        """Return False. Only the commands know; they have to bear it."""
        return False

    async def enter(self, host: Host) -> None:
        """Run `enter`; raises TemporaryError or PermanentError with what it said."""
        await self._run("enter", self._settings.enter, host)

    async def leave(self, host: Host) -> None:
        """Run `leave`; raises TemporaryError or PermanentError with what it said."""
        await self._run("leave", self._settings.leave, host)

    def by_hand(self, host: Host) -> tuple[str, ...]:
        """Return `leave` as it is typed."""
        return (shlex.join(_argv(self._settings.leave, host)),)

    async def _run(self, verb: str, argv: Sequence[str], host: Host) -> None:
        what = f"The command {verb} of neighbour {self.name}"
        program = found_program(argv[0], self._environment)
        if program is None:
            raise PermanentError(Code.VIM_NEIGHBOUR, f"{what} is not there: {argv[0]}.")
        text = json.dumps({"verb": verb, "node": host.node, "campaign": host.campaign}).encode()
        call = (program, *_argv(argv, host)[1:])
        try:
            async with asyncio.timeout(self._settings.timeout_s), running(call, text, self._environment) as process:
                ended = await process
        except TimeoutError as error:
            raise TemporaryError(Code.VIM_NEIGHBOUR, f"{what} did not end within {self._settings.timeout_s:g} s.") from error
        if ended.code in (0, NOT_NEEDED):
            return
        message = f"{what} ended with {ended.code}" + (f": {ended.said}" if ended.said else ".")
        raise (
            TemporaryError(Code.VIM_NEIGHBOUR, message)
            if ended.code == TEMPORARY
            else PermanentError(Code.VIM_NEIGHBOUR, message)
        )


def _argv(argv: Sequence[str], host: Host) -> list[str]:
    return filled(argv, {"node": host.node, "campaign": host.campaign})
