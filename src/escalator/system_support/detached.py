"""Detached operations on the manager's own host: programs that outlive it and are found again by their operation id.

Each operation has a folder (mode 0700) with its log, its exit code and, from the start, who runs it since which boot.
One run at a time works on a node, and a driver may bound how many work at once: both are locks that the runs hold
themselves, so that they count over restarts of the manager.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.system_support.operations import EXIT_CODES, MAX_CHUNK_BYTES, folder_name, progress
from escalator.system_support.port import OperationState, Progress

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "SSH_AUTH_SOCK")
"""Variables that a program inherits. The manager's own settings and secrets are not among them."""
SUPERVISOR_S = 10.0
"""Forking a shell takes milliseconds; more means that the host is out of processes."""
KILL_AFTER_S = 30
"""Between the polite and the hard end of a program that runs too long."""
DAY_S = 86400.0
FOLLOW_S = 0.3
"""Between two looks at an operation that the caller waits for."""
GOOD = (OperationState.DONE, OperationState.NOT_NEEDED)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be run for a node. `places` is how many such runs may work at once, 0 = any number."""

    node: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    limit_s: float
    places: int = 0


@dataclass(frozen=True, slots=True)
class Detached:
    """The operations of one driver in `folder`; those that ended are forgotten after `keep_s`."""

    folder: Path
    keep_s: float
    states: Mapping[int, OperationState] = field(default_factory=lambda: EXIT_CODES)
    """What exit codes mean; any other means failed."""

    def of(self, operation: str) -> Path:
        """The operation's folder, whether it is there or not."""
        return self.folder / folder_name(operation)

    async def start(self, operation: str, work: Work, prepare: Callable[[Path], None] | None = None) -> None:
        """Run it, unless this operation was started before. `prepare` fills its folder, and is safe to repeat.

        Raises TemporaryError (`SYS_COMMAND`) when this host cannot start a program.
        """
        if await self.known(operation):
            return
        folder = self.of(operation)
        await asyncio.to_thread(self._make, folder, work.node, prepare)
        await self._supervise(folder, work)

    async def known(self, operation: str) -> bool:
        """Whether it was started before, wherever it stands: a driver whose settings changed since refuses nothing of it."""
        state, _ = await asyncio.to_thread(self._standing, self.of(operation))
        return state is not OperationState.UNKNOWN

    async def poll(self, operation: str, cursor: int = 0) -> Progress:
        """Where the operation stands. The cursor counts bytes of its log."""
        folder = self.of(operation)
        state, exit_code = await asyncio.to_thread(self._standing, folder)
        return progress(state, exit_code, await asyncio.to_thread(_log, folder / "log", cursor), cursor)

    async def withdraw(self, node: str) -> None:
        """Let no run of the node begin that still waits for its place; what has begun is let end."""
        await asyncio.to_thread(self._withdraw, node)

    async def forget(self, operation: str) -> None:
        """Take away an operation that has ended, so that it can be started anew. One under way stays."""
        folder = self.of(operation)
        if (await asyncio.to_thread(self._standing, folder))[0] is not OperationState.RUNNING:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _make(self, folder: Path, node: str, prepare: Callable[[Path], None] | None) -> None:
        for made in (folder, self._locks, self._places):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        (folder / "node").write_text(node)
        if prepare is not None:
            prepare(folder)

    @property
    def _locks(self) -> Path:
        return self.folder / ".nodes"

    @property
    def _places(self) -> Path:
        return self.folder / ".places"

    def _folders(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if not path.name.startswith(".")]

    def _sweep(self) -> None:
        """Forget what ended long ago."""
        oldest = time.time() - self.keep_s
        for folder in self._folders():
            try:
                ended = (folder / "rc").stat().st_mtime
            except OSError:
                ended = _begun(folder) if self._standing(folder)[0] is OperationState.LOST else oldest
            if ended < oldest:
                shutil.rmtree(folder, ignore_errors=True)

    def _withdraw(self, node: str) -> None:
        if not self.folder.is_dir():
            return
        for folder in self._folders():
            if _text(folder / "node") == node and self._standing(folder)[0] is OperationState.RUNNING:
                (folder / "withdrawn").touch(mode=0o600)

    def _standing(self, folder: Path) -> tuple[OperationState, int | None]:
        started = folder / "started"
        if not started.is_dir():
            return OperationState.UNKNOWN, None
        alive = _alive(started, folder)
        try:
            exit_code = int((folder / "rc").read_text())  # looked for after the process: it is written before that ends
        except (OSError, ValueError):
            return (OperationState.RUNNING if alive else OperationState.LOST), None
        return self.states.get(exit_code, OperationState.FAILED), exit_code

    async def _supervise(self, folder: Path, work: Work) -> None:
        script = files("escalator.system_support").joinpath("supervise.sh").read_text()
        lock = self._locks / hashlib.sha256(work.node.encode()).hexdigest()[:32]
        limits = (str(int(work.limit_s)), str(KILL_AFTER_S), str(lock), str(self._places), str(work.places))
        try:
            process = await asyncio.create_subprocess_exec(
                *("setsid", "-f", "/bin/sh", "-c", script, "sh", str(folder), *limits, *work.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=dict(work.environment),
                cwd="/",
            )
            async with asyncio.timeout(SUPERVISOR_S):
                await process.communicate()  # the supervisor lets go of the pipe when it has taken the operation over
        except (OSError, TimeoutError) as error:
            raise TemporaryError(Code.SYS_COMMAND, "The command could not be started on the manager's host.") from error


async def to_end(
    operations: Detached, operation: str, work: Work, clock: Clock, prepare: Callable[[Path], None] | None = None
) -> Progress:
    """Follow the operation to its end, with the beginning of its log. One under way is taken up, one that failed begins anew."""
    if (await operations.poll(operation)).state not in (*GOOD, OperationState.RUNNING):
        await operations.forget(operation)
    await operations.start(operation, work, prepare)
    while (found := await operations.poll(operation)).state is OperationState.RUNNING:
        await clock.sleep(FOLLOW_S)
    return found


def _alive(started: Path, folder: Path) -> bool:
    """Whether the supervisor still runs: this boot, that process id, and really ours."""
    if (started / "boot").read_text() != Path("/proc/sys/kernel/random/boot_id").read_text():
        return False
    pid = (started / "pid").read_text().strip()
    try:
        return str(folder).encode() in Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _begun(folder: Path) -> float:
    try:
        return (folder / "started").stat().st_mtime
    except OSError:
        return time.time()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _log(path: Path, cursor: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(cursor)
            return file.read(MAX_CHUNK_BYTES)
    except OSError:
        return b""
