"""Files that go to disk beside the writing of others."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from escalator.system_support.releases.direct import DirectFile

MAX_CLOSING = 8
"""Files that wait for the disk at once: more of them would only be more open files."""


class Closing:
    """Files that go to disk beside the writing of others. Not more than `MAX_CLOSING` are open for that."""

    def __init__(self) -> None:
        self._closers = ThreadPoolExecutor(1, "close")
        self._under_way: deque[Future[None]] = deque()

    def add(self, file: DirectFile) -> None:
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

    def __init__(self, file: DirectFile, closing: Closing) -> None:
        self.write = file.write
        self._file = file
        self._closing = closing

    def close(self) -> None:
        """There is no more of it."""
        self._closing.add(self._file)
