"""Running the operator's commands: no shell, none of our secrets, bounded output, ended with what they started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from escalator.model.codes import Code
from escalator.model.errors import PermanentError

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ")
"""Variables that a command inherits. The manager's own settings and secrets are not among them."""
TEMPORARY = 75
"""EX_TEMPFAIL of sysexits.h: try again later."""
MESSAGE_BYTES = 500
OUTPUT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `said` is the end of its standard error, `output` its standard output."""

    code: int
    output: bytes
    said: str


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what commands see of our environment."""
    return {key: environment[key] for key in PASSED_ON if key in environment}


def filled(argv: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Return the arguments with their placeholders filled in; a value is never split into several."""
    found = []
    for part in argv:
        text = part
        for key, value in names.items():
            text = text.replace("{" + key + "}", value)
        found.append(text)
    return found


def found_program(name: str, environment: Mapping[str, str]) -> str | None:
    """Where the program is; None when it is not there, or may not be run."""
    return shutil.which(name, path=environment.get("PATH", os.defpath))


@contextlib.asynccontextmanager
async def running(argv: Sequence[str], text: bytes, environment: Mapping[str, str]) -> AsyncIterator[asyncio.Task[Ended]]:
    """Start the command with `text` on its standard input; the task ends with it. Whatever still runs is killed at the end.

    Raises PermanentError when it cannot be started, such as a script without an interpreter.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        message = f"The command {argv[0]} cannot be started: {error.strerror}."
        raise PermanentError(Code.VIM_REGISTRATION, message) from error
    task = asyncio.create_task(_end(process, text))
    try:
        yield task
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await process.wait()


async def _end(process: asyncio.subprocess.Process, text: bytes) -> Ended:
    output, errors, _ = await asyncio.gather(
        _kept(process.stdout, OUTPUT_BYTES), _kept(process.stderr, OUTPUT_BYTES), _feed(process.stdin, text)
    )
    code = await process.wait()
    return Ended(code, output, errors[-MESSAGE_BYTES:].decode(errors="replace").strip())


async def _feed(stream: asyncio.StreamWriter | None, text: bytes) -> None:
    """A command need not read what it is given."""
    if stream is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(text)
        await stream.drain()
    stream.close()


async def _kept(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    """The stream's beginning; what goes on for ever is read and forgotten, so that the command does not block."""
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(65536)):
        kept += chunk[: limit - len(kept)]
    return bytes(kept)
