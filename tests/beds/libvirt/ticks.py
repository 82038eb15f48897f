"""Watches the guest's console on both hosts: when anything arrived there, on this machine's clock."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

LOOK_S = 0.002
FIRST = -15
"""The watcher goes before all that it watches: what it sees late, it takes for silence."""


@dataclass(frozen=True)
class Gap:
    """A time in which the guest wrote nothing."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Ticks:
    """A thread that looks at the files every 2 ms, from `with` to the end of it. Times are seconds since 1970."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = dict.fromkeys(files, (0, 0))
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)
        self.arrivals: list[float] = []
        self.heard = threading.Event()
        """Set at the first tick."""
        self.began = self.ended = 0.0
        self.crashed = False
        """Whether the guest's kernel gave up, or the guest started again."""
        self.slowest_look_s = 0.0
        """The longest time between two looks: nothing shorter was missed, and no gap is truer than this."""

    def __enter__(self) -> Self:
        self.began = self.ended = time.time()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self.ended = time.time()

    def gaps(self, since: float, until: float) -> list[Gap]:
        """All gaps that touch this time, longest first. The silence of a guest that never spoke again is one of them."""
        ends = [*self.arrivals, self.ended]
        found = [Gap(a, b) for a, b in pairwise([self.began, *ends]) if since <= b and a <= until]
        return sorted(found, key=lambda gap: -gap.seconds)

    def _run(self) -> None:
        with suppress(PermissionError):  # on Linux this is for the one thread
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), FIRST)
        last = time.time()
        self._grown()
        self.crashed = False  # what was there before tells of earlier times
        while not self._ends.wait(LOOK_S):
            now = time.time()
            self.slowest_look_s = max(self.slowest_look_s, now - last)
            last = now
            if self._grown():
                self.arrivals.append(now)
                self.heard.set()

    def _grown(self) -> bool:
        """Whether a tick came to any of the files, which may be other ones of that name than before."""
        grown = False
        for file, (inode, size) in self._files.items():
            try:
                with file.open("rb") as opened:
                    found = os.fstat(opened.fileno())
                    # A shorter file was begun anew, also where it has the number of the old one.
                    opened.seek(size if found.st_ino == inode and found.st_size >= size else 0)
                    new = opened.read()
                    self._files[file] = (found.st_ino, opened.tell())
            except FileNotFoundError:
                continue
            grown = grown or b"tick" in new
            self.crashed = self.crashed or b"panic" in new or b"guest ready" in new
        return grown
