"""Processes of a bed: each has a file with its id and start time, so that a reused id is never taken for ours."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

POLL_S = 0.05


def start_time(pid: int) -> str | None:
    """Start of the process in ticks since boot; None when there is none or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def note(file: Path, pid: int) -> None:
    """Write the process down under that name."""
    file.write_text(f"{pid} {start_time(pid) or '-'}", encoding="utf-8")


def living(file: Path) -> int | None:
    """Id of the process that the file names; None when it is gone."""
    try:
        pid, _, started = file.read_text(encoding="utf-8").partition(" ")
        number = int(pid)
    except (FileNotFoundError, ValueError):
        return None
    return number if started.strip() == start_time(number) else None


def spawn(argv: Iterable[str | Path], *, pid_file: Path, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process of its own session, its output in `log`, and write it down."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    note(pid_file, process.pid)
    return process


def reap(children: Iterable[subprocess.Popen[bytes]]) -> None:
    """Collect what has ended of the children started here."""
    for child in children:
        child.poll()


def stop(files: Iterable[Path], children: Iterable[subprocess.Popen[bytes]] = (), grace_s: float = 8.0) -> None:
    """Ask the processes to end, wait, then kill those that did not."""
    files, children = list(files), list(children)
    _signal(files, signal.SIGTERM)
    _wait(files, children, grace_s)
    _signal(files, signal.SIGKILL)
    _wait(files, children, 5.0)
    reap(children)  # the last may have ended between a look at the children and one at the files
    for file in files:
        file.unlink(missing_ok=True)


def _signal(files: list[Path], number: signal.Signals) -> None:
    for file in files:
        pid = living(file)
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


def _wait(files: list[Path], children: list[subprocess.Popen[bytes]], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        reap(children)
        if not any(living(file) for file in files):
            return
        time.sleep(POLL_S)
