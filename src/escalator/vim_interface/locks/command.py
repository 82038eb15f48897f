"""A lock service behind commands of the operator's: etcdctl, consul, a database, a ticket.

Each gets `{key}`, `{owner}` and `{ttl_s}` in its argv. Exit codes: 0 held, renewed, released; 75 of `acquire`: somebody else
has it, and what it wrote says who; 70 of `renew`: it is not ours any more. Anything else: it cannot be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from escalator.model.brakes import Locks
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.processes import TEMPORARY, Ended, filled, found_program, passed_on, running
from escalator.vim_interface.gates.command import last_line

LOST = 70


class CommandLocks:
    """The setting `locks` with kind `command`."""

    def __init__(self, settings: Locks, environment: Mapping[str, str]) -> None:
        self._argv = {"acquire": settings.acquire, "renew": settings.renew, "release": settings.release}
        self._timeout_s = settings.timeout_s
        self._environment = passed_on(environment)

    async def acquire(self, key: str, owner: str, ttl_s: float) -> str | None:
        """Run `acquire`."""
        ended = await self._run("acquire", key, owner, ttl_s)
        if ended.code == TEMPORARY:
            return f"key {key} is not free: {_said(ended) or 'somebody else has it'}"
        _done("acquire", key, ended)
        return None

    async def renew(self, key: str, owner: str, ttl_s: float) -> bool:
        """Run `renew`."""
        ended = await self._run("renew", key, owner, ttl_s)
        if ended.code == LOST:
            return False
        _done("renew", key, ended)
        return True

    async def release(self, key: str, owner: str) -> None:
        """Run `release`."""
        _done("release", key, await self._run("release", key, owner, 0.0))

    async def _run(self, verb: str, key: str, owner: str, ttl_s: float) -> Ended:
        argv = self._argv[verb]
        program = found_program(argv[0], self._environment)
        if program is None:
            raise PermanentError(Code.UPG_LOCK, f"The command locks.{verb} is not there: {argv[0]}.")
        call = (program, *filled(argv[1:], {"key": key, "owner": owner, "ttl_s": f"{ttl_s:.0f}"}))
        try:
            async with asyncio.timeout(self._timeout_s), running(call, b"", self._environment, Code.UPG_LOCK) as process:
                return await process
        except TimeoutError as error:
            raise TemporaryError(Code.UPG_LOCK, f"locks.{verb} did not end within {self._timeout_s:g} s.") from error


def _done(verb: str, key: str, ended: Ended) -> None:
    if ended.code != 0:
        said = _said(ended)
        raise TemporaryError(Code.UPG_LOCK, f"locks.{verb} of key {key} ended with {ended.code}{f': {said}' if said else ''}.")


def _said(ended: Ended) -> str:
    return last_line(ended.said) or last_line(ended.last)
