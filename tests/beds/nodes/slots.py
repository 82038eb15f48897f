"""One bed, one slot: its own subnet and names, locked while it lives; what a crashed run left is swept away."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from beds.nodes.base import CannotRunError

LOCKS = Path("/run/escalator-beds")
SLOTS = 16


def run(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise CannotRunError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


class Slot:
    """The lock on one number; network namespaces and links of this bed are named after it."""

    def __init__(self) -> None:
        LOCKS.mkdir(parents=True, exist_ok=True)
        taken: tuple[int, IO[str]] | None = None
        for number in range(SLOTS):
            lock = (LOCKS / f"nodes-{number}.lock").open("a")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            sweep(number)  # nobody holds the lock: whatever bears this number is a crashed run's
            if taken is None:
                taken = (number, lock)
            else:
                lock.close()
        if taken is None:
            raise CannotRunError(f"all {SLOTS} slots for nodes beds are in use")
        self.number, self._lock = taken

    @property
    def prefix(self) -> str:
        return prefix(self.number)

    def close(self) -> None:
        sweep(self.number)
        self._lock.close()


def prefix(number: int) -> str:
    return f"esc{number}x"


def sweep(number: int) -> None:
    """End every process, link, namespace and control group that bears this number."""
    names = [line.split()[0] for line in run("ip", "netns", "list", check=False).splitlines() if line.startswith(prefix(number))]
    for name in names:
        kill_all(name)
    for name in names:
        run("ip", "netns", "del", name, check=False)
    run("ip", "link", "del", prefix(number), check=False)
    for hierarchy in ("systemd", "unified", "."):
        for group in Path("/sys/fs/cgroup", hierarchy).glob(f"{prefix(number)}-*"):
            for inner in sorted(group.rglob("*/"), key=lambda p: -len(p.parts)):
                _remove(inner)
            _remove(group)


def _remove(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:
        return  # a control group that is still emptying goes with the next sweep


def pids(netns: str) -> Sequence[int]:
    """Processes in the network namespace. Read here, without `ip netns pids`: watchers ask for it many times a second."""
    wanted = _namespace(f"/run/netns/{netns}")
    if wanted is None:
        return []
    found = os.listdir("/proc")  # noqa: PTH208 - hundreds of these a second
    return [int(pid) for pid in found if pid.isdigit() and _namespace(f"/proc/{pid}/ns/net") == wanted]


def is_in(pid: int, netns: str) -> bool:
    """Whether the process lives and is in the network namespace."""
    found = _namespace(f"/proc/{pid}/ns/net")
    return found is not None and found == _namespace(f"/run/netns/{netns}")


def _namespace(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - hundreds of these a second
    except OSError:
        return None  # it is not there, or ended meanwhile
    return found.st_dev, found.st_ino


def kill_all(netns: str) -> None:
    """Power loss: SIGKILL to everything in the network namespace, supervisor included, until nothing is left."""
    for _ in range(200):
        found = [pid for pid in pids(netns) if pid != os.getpid()]
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended meanwhile
        time.sleep(0.01)
    raise CannotRunError(f"processes of {netns} do not end")
