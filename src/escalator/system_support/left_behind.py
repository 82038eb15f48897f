"""Commands that a killed manager left behind: the next one does not begin the same run beside one that goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from escalator.system_support.operations import folder_name

_STARTED = 18
"""Place of the time of the start behind the state."""
_ENDED = ("Z", "X")
"""States of processes that are over, though nobody has asked yet how."""


_NOTING = 'read -r s <"/proc/$$/stat" && echo "$s" >"$0"; exec "$@"'
"""The process writes itself down and becomes the command: between the two no manager can be killed without a note."""


class LeftBehind:
    """Keeps in `folder` which process each run is. Without a folder nothing is known of earlier managers."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._own: set[str] = set()
        """Runs of this manager: the same question may be asked twice at once."""

    def noting(self, operation: str, argv: Sequence[str]) -> Sequence[str]:
        """What is to be started in the place of `argv` for this run."""
        if self._folder is None:
            return argv
        self._own.add(operation)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return ("/bin/sh", "-c", _NOTING, str(self._of(self._folder, operation)), *argv)

    def forget(self, operation: str) -> None:
        """The run is over."""
        self._own.discard(operation)
        if self._folder is not None:
            self._of(self._folder, operation).unlink(missing_ok=True)

    async def ended(self, operation: str, limit_s: float) -> None:
        """Wait for the end of a run that an earlier manager began; after `limit_s` it is ended, with what it started."""
        if self._folder is None or operation in self._own:
            return
        try:
            note = self._of(self._folder, operation)
            said = note.read_text(encoding="utf-8", errors="replace")
            pid, started = int(said.split()[0]), _started(said)
            left_s = note.stat().st_mtime + limit_s - time.time()
            handle = os.pidfd_open(pid)
        except (OSError, ValueError, IndexError):
            return  # there is none, or it is over
        try:
            # The number may be another process's by now.
            if started and _started(_stat(pid)) == started and not await _over(handle, left_s):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
        finally:
            os.close(handle)

    @staticmethod
    def _of(folder: Path, operation: str) -> Path:
        return folder / folder_name(operation)


async def _over(handle: int, longest_s: float) -> bool:
    """Whether the process ends within this time."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, over.set)
    try:
        async with asyncio.timeout(max(0.0, longest_s)):
            await over.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
    return True


def _stat(pid: int) -> str:
    """What the kernel says of the process; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _started(stat: str) -> str:
    """When the process was started, in the kernel's own count; empty for one that is over."""
    # What stands before is its name, in which there may be anything.
    state, *rest = stat.rpartition(")")[2].split() or [""]
    return "" if state in _ENDED or len(rest) <= _STARTED else rest[_STARTED]
