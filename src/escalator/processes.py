"""Running the operator's commands: no shell, none of our secrets, bounded output, ended with what they started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import Process
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
_CLOSED = -1
LAST_WORDS_S = 2.0
"""How long is listened after a command has ended, while a process that it left behind holds its outputs."""
LAST_WAIT_S = 5.0
"""How long a killed command is waited for: one that hangs in the kernel does not die."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `said` is the end of its standard error, `output` its standard output, `last` the end of that."""

    code: int
    output: bytes
    said: str
    last: str = ""


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
async def running(
    argv: Sequence[str], text: bytes, environment: Mapping[str, str], code: Code = Code.VIM_REGISTRATION
) -> AsyncIterator[asyncio.Task[Ended]]:
    """Start the command with `text` on its standard input; the task ends with it. Whatever still runs is killed at the end.

    The command has ended when its own process has: one that it leaves behind, and that holds its outputs open, is not
    waited for. Raises PermanentError with `code` when it cannot be started, such as a script without an interpreter.
    """
    async with _listening() as output, _listening() as errors:
        with tempfile.TemporaryFile() as given:
            # A file, not a pipe: a command need not read what it is given.
            given.write(text)
            given.seek(0)
            process = await _started(argv, environment, (given.fileno(), output.far_end, errors.far_end), code)
        output.close_far_end()
        errors.close_far_end()
        task = asyncio.create_task(_end(process, output, errors))
        try:
            yield task
        finally:
            if process.returncode is None or not (output.ended and errors.ended):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            task.cancel()
            await asyncio.wait((task, asyncio.ensure_future(process.wait())), timeout=LAST_WAIT_S)


async def _started(argv: Sequence[str], environment: Mapping[str, str], files: tuple[int, int, int], code: Code) -> Process:
    stdin, stdout, stderr = files
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=stdout, stderr=stderr, env=dict(environment), start_new_session=True
        )
    except OSError as error:
        message = f"The command {argv[0]} cannot be started: {error.strerror}."
        raise PermanentError(code, message) from error


async def _end(process: Process, output: _Listener, errors: _Listener) -> Ended:
    code = await process.wait()
    # What it wrote may still be on its way through a process of its own, such as the `tee` of its log.
    await asyncio.wait((output.listening, errors.listening), timeout=LAST_WORDS_S)
    said, last = (bytes(pipe.end).decode(errors="replace").strip() for pipe in (errors, output))
    return Ended(code, bytes(output.beginning), said, last)


class _Listener:
    """The near end of a pipe: its beginning and its end are kept. What lies between is read, so that nobody blocks."""

    def __init__(self, reader: asyncio.StreamReader, far_end: int) -> None:
        self.beginning = bytearray()
        self.end = bytearray()
        self.far_end = far_end
        self.listening = asyncio.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(65536):
            self.beginning += chunk[: OUTPUT_BYTES - len(self.beginning)]
            self.end = (self.end + chunk)[-MESSAGE_BYTES:]

    @property
    def ended(self) -> bool:
        """Whether nobody holds the far end any more."""
        return self.listening.done()

    def close_far_end(self) -> None:
        """The process has it now."""
        if self.far_end != _CLOSED:
            os.close(self.far_end)
            self.far_end = _CLOSED


@contextlib.asynccontextmanager
async def _listening() -> AsyncIterator[_Listener]:
    near, far = os.pipe()
    reader = asyncio.StreamReader()
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(os.close, far)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(near, "rb", buffering=0)
        )
        unfinished.pop_all()
    listener = _Listener(reader, far)
    try:
        yield listener
    finally:
        listener.close_far_end()
        transport.close()
        listener.listening.cancel()
        await asyncio.wait((listener.listening,))
