"""A file that is only appended to and has to survive a power loss: it goes to the disk past the page cache.

A copy in the page cache would cost more CPU than the hashing of the same bytes, most of all on a virtual machine whose
memory was not used before, and would push out what running programs need; nobody reads the file back soon. Where a
file system knows no direct writing (tmpfs before Linux 6.6), the same blocks are written through the cache.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

BLOCK_BYTES = 2**20
"""Written at once: a multiple of every block size in use, and enough to keep a disk busy."""
BLOCKS = 3
"""One that is filled, one that is written, one between: neither side waits for the other."""


class DirectFile:
    """A new file. Everything is on disk when `close` returns; `discard` leaves nothing."""

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        self._path = path
        self._handle = _open(path, mode)
        self._writing = ThreadPoolExecutor(1, "write")
        self._under_way: deque[Future[None]] = deque()
        # Memory of its own pages: a direct write takes only whole blocks at addresses that are multiples of theirs.
        self._memory = mmap.mmap(-1, BLOCKS * BLOCK_BYTES)
        self._view = memoryview(self._memory)
        self._written = 0
        self._filled = 0
        self._open = True

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Close it; after an error nothing is left."""
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, data: bytes | memoryview, /) -> None:
        """Append. Raises OSError, also for what was written before."""
        view = memoryview(data)
        while view:
            part = view[: BLOCK_BYTES - self._filled]
            start = self._slot + self._filled
            self._view[start : start + len(part)] = part
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == BLOCK_BYTES:
                self._hand_over()

    def close(self) -> None:
        """Wait until all of it is on disk. Raises OSError."""
        if not self._open:
            return
        self._open = False
        try:
            self._settle(0)
            if self._filled:
                # The rest is no whole block; it goes through the cache.
                fcntl.fcntl(self._handle, fcntl.F_SETFL, fcntl.fcntl(self._handle, fcntl.F_GETFL) & ~os.O_DIRECT)
                self._write(self._slot, self._filled, self._written)
            os.fsync(self._handle)
        finally:
            self._end()

    def discard(self) -> None:
        """Close and remove it."""
        if self._open:
            self._open = False
            self._end()
        self._path.unlink(missing_ok=True)

    @property
    def _slot(self) -> int:
        """Where in memory the block that is being filled begins."""
        return self._written % (BLOCKS * BLOCK_BYTES)

    def _hand_over(self) -> None:
        self._under_way.append(self._writing.submit(self._write, self._slot, BLOCK_BYTES, self._written))
        self._written += BLOCK_BYTES
        self._filled = 0
        self._settle(BLOCKS - 1)

    def _write(self, start: int, size: int, offset: int) -> None:
        done = 0
        while done < size:
            # Released at once, also after an error: memory that somebody looks at cannot be given back.
            with self._view[start + done : start + size] as rest:
                done += os.pwrite(self._handle, rest, offset + done)

    def _settle(self, most: int) -> None:
        """Wait until no more than so many blocks are to be written."""
        while len(self._under_way) > most:
            self._under_way.popleft().result()

    def _end(self) -> None:
        self._writing.shutdown()
        os.close(self._handle)
        self._view.release()
        self._memory.close()


def _open(path: Path, mode: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    try:
        return os.open(path, flags | os.O_DIRECT, mode)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        path.unlink(missing_ok=True)  # some kernels refuse the flag after they made the file
        return os.open(path, flags, mode)
