"""One command on an open SSH connection: asked for once, its output bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import asyncssh

MAX_OUTPUT_BYTES = 4 * 2**20
"""The longest answer of ours is a probe of a few hundred packages."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left behind."""

    exit_code: int
    stdout: bytes
    stderr: str


class NotBegunError(OSError):
    """No session was opened, so the command was not even asked for: it has surely not begun, and may be asked for elsewhere."""


async def call(link: asyncssh.SSHClientConnection, command: str, stdin: bytes, open_within_s: float | None = None) -> Output:
    """Run the command and return what came of it, whatever its exit code.

    RFC 4254, sections 5.1 and 6.5: a session is opened first, and the command is asked for once that was confirmed. Raises
    NotBegunError when it does not come to that (within `open_within_s`), and asyncssh.Error or OSError when it does and the
    answer is lost: the command may have begun then, and may have ended.
    """
    try:
        async with asyncio.timeout(open_within_s) as opening:
            session = _Session(lambda: opening.reschedule(None))
            channel, _ = await link.create_session(lambda: session, command, encoding=None)
    except (asyncssh.Error, OSError) as error:
        if session.is_open:
            raise
        raise NotBegunError("no session was opened") from error
    try:
        channel.write(stdin)
        channel.write_eof()
    except BrokenPipeError:
        pass  # a quick command has ended before we could say that nothing more comes; its answer is there to be read
    return await session.ended


class _Session(asyncssh.SSHClientSession[bytes]):
    """The node's end of a command. asyncssh asks for the command right after it has called `connection_made`."""

    def __init__(self, on_open: Callable[[], None]) -> None:
        self.is_open = False
        self.ended: asyncio.Future[Output] = asyncio.get_running_loop().create_future()
        self._on_open = on_open
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._stdout, self._stderr = bytearray(), bytearray()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The session is open; from here on the command may have been asked for."""
        self.is_open = True
        self._channel = chan
        self._on_open()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Keep it up to the bound; a node that sends more has its command's output cut."""
        kept = self._stdout if datatype is None else self._stderr
        kept += data[: MAX_OUTPUT_BYTES - len(kept)]

    def eof_received(self) -> bool:
        """The command's output has ended; the exit code has still to come."""
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The session is over."""
        if self.ended.done():
            return  # nobody waits any more
        code = None if self._channel is None else self._channel.get_exit_status()
        if exc is not None or code is None:
            self.ended.set_exception(exc or asyncssh.ConnectionLost("the command ended without an exit status"))
            self.ended.exception()  # it may be that nobody waits yet, and never will: the request itself has failed too
        else:
            self.ended.set_result(Output(code, bytes(self._stdout), self._stderr.decode(errors="replace")))
