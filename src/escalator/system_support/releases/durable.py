"""A file that is written once and has to survive a power loss: it goes to disk while more of it comes."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

SYNC_BYTES = 32 * 2**20
"""So much is written before the disk is told: enough to keep it busy, little enough not to wait for it at the end."""

MAX_CLOSING = 8
"""Files that wait for the disk at once: more of them would only be more open files."""


class DurableFile:
    """A new file. Everything is on disk when `close` returns; `discard` leaves nothing."""

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        self._path = path
        self._syncing = ThreadPoolExecutor(1, "sync")
        self._under_way: Future[None] | None = None
        self._since_sync = 0
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
        """Append."""
        view = memoryview(data)
        self._since_sync += len(view)
        while view:
            view = view[os.write(self._handle, view) :]
        if self._since_sync >= SYNC_BYTES and (self._under_way is None or self._under_way.done()):
            self._since_sync = 0
            self._under_way = self._syncing.submit(os.fdatasync, self._handle)

    @property
    def position(self) -> int:
        """Where `write` goes on."""
        return os.lseek(self._handle, 0, os.SEEK_CUR)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write somewhere else; where `write` goes on does not change."""
        if os.pwrite(self._handle, data, offset) != len(data):
            raise OSError(f"{self._path} could not be written")

    def go_to(self, offset: int) -> None:
        """Where `write` goes on; what is behind it is cut off."""
        os.ftruncate(self._handle, offset)
        os.lseek(self._handle, offset, os.SEEK_SET)

    def close(self) -> None:
        """Wait until all of it is on disk."""
        if self._open:
            self._open = False
            self._syncing.shutdown()
            try:
                os.fsync(self._handle)
            finally:
                os.close(self._handle)

    def discard(self) -> None:
        """Close and remove it."""
        if self._open:
            self._open = False
            self._syncing.shutdown()
            os.close(self._handle)
        self._path.unlink(missing_ok=True)


class Closing:
    """Files that go to disk beside the writing of others. Not more than `MAX_CLOSING` are open for that."""

    def __init__(self) -> None:
        self._closers = ThreadPoolExecutor(1, "close")
        self._under_way: deque[Future[None]] = deque()

    def add(self, file: DurableFile) -> None:
        """Close it in its turn. Raises OSError when one before it did not reach the disk."""
        # It is closed whatever became of those before it.
        self._under_way.append(self._closers.submit(file.close))
        if len(self._under_way) > MAX_CLOSING:
            self._under_way.popleft().result()

    def wait(self) -> None:
        """Return when all are on disk. Raises OSError when one did not reach it."""
        while self._under_way:
            self._under_way.popleft().result()

    def end(self) -> None:
        """Let what is under way end, whatever becomes of it."""
        self._closers.shutdown()


class ClosedBeside:
    """A file that is written here and closed by `closing`, which has to be waited for."""

    def __init__(self, file: DurableFile, closing: Closing) -> None:
        self.write = file.write
        self._file = file
        self._closing = closing

    def close(self) -> None:
        """There is no more of it."""
        self._closing.add(self._file)
