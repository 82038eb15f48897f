"""A short question to a program on the manager's host: bounded in time and output, never through a shell."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from escalator.model.codes import Code
from escalator.model.errors import PermanentError

MAX_OUTPUT_BYTES = 2**20
"""Facts of a node are a few KiB."""
SHOWN = 300
"""How many characters of what a program said a message carries."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How the program ended and what it said; the exit code is None when it did not end in time."""

    exit_code: int | None
    said: str

    @property
    def shown(self) -> str:
        """The end of what it said, for a message."""
        return self.said.strip()[-SHOWN:]


async def ask(argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Answer:
    """Run it to its end; what it started is ended with it when it takes too long.

    Raises PermanentError (`SYS_CONFIG`) when there is no such program.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        message = f"The command {argv[0]} cannot be run: {error.strerror}."
        raise PermanentError(Code.SYS_CONFIG, message, remedy="Check the settings under system.") from error
    try:
        async with asyncio.timeout(timeout_s):
            return await _bounded(process)
    except TimeoutError:
        return Answer(None, f"it did not end within {timeout_s:g} s")
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _bounded(process: asyncio.subprocess.Process) -> Answer:
    """Its exit code and the beginning of what it says; the rest is read and dropped."""
    said = bytearray()
    while process.stdout is not None and (chunk := await process.stdout.read(65536)):
        said += chunk[: MAX_OUTPUT_BYTES - len(said)]
    exit_code = await process.wait()
    return Answer(exit_code, said.decode(errors="replace"))
