"""The engine's SQLite file while it cannot be written: nothing at all is recorded in it then.

A record that fails is tried once more by DBOS, as the record of a failure: were there room again by then, that failure would
stand for ever. So the first write that fails begins a rest, in which every write is refused. Workflows end at it as in a crash,
and are taken up once the file can be written again.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from escalator.storage.sqlite import CACHE_KIB

QUIET_S = 2.0
"""A rest lasts at least so long after the last write that was refused: whoever tries twice has done so by then."""
ROOM_BYTES = 256 * 2**10
"""What has to fit on the disk before a rest ends: some hundred records."""
_PRIMARY = 0xFF
"""SQLite's result codes: the extended ones have the primary one in their last byte. Source: sqlite.org/rescode.html."""
_UNWRITABLE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


class Rest:
    """Whether the file rests. Threads write, and the loop looks; `now` counts seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._refused_at: float | None = None

    @property
    def on(self) -> bool:
        """Whether nothing may be written."""
        return self._refused_at is not None

    @property
    def quiet(self) -> bool:
        """Whether nobody has tried to write for a while."""
        return self._refused_at is not None and self._now() - self._refused_at >= QUIET_S

    def begin(self) -> None:
        """Let nothing be written from now on."""
        self._refused_at = self._now()

    def end(self) -> None:
        """Let all be written again."""
        self._refused_at = None

    def note(self, error: sqlite3.Error) -> None:
        """Begin when that error says that the file cannot be written."""
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & _PRIMARY in _UNWRITABLE:
            self.begin()


class Connection(sqlite3.Connection):
    """A connection of DBOS that heeds the rest. Its cache is small: the system's holds the file, once for all of them."""

    def __init__(self, rest: Rest, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - the driver's own
        self.rest = rest
        self._changes = 0
        try:
            super().__init__(*arguments, **settings)
            self.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        except sqlite3.Error as error:
            rest.note(error)
            raise

    def cursor(self, _: Any = None) -> Cursor:  # type: ignore[override]  # noqa: ANN401 - the driver's own
        """A cursor that tells of writes that fail."""
        return super().cursor(Cursor)

    def commit(self) -> None:
        """Commit. Raises sqlite3.OperationalError for whatever was written while the file rests."""
        # Who looks for work every second opens a transaction as well, and changes nothing.
        if self.rest.on and self.total_changes != self._changes:
            self.rest.begin()
            self.rollback()
            raise sqlite3.OperationalError("the file could not be written a moment ago")
        try:
            super().commit()
        except sqlite3.Error as error:
            self.rest.note(error)
            raise
        self._changes = self.total_changes

    def rollback(self) -> None:
        """Undo what was changed since the last commit."""
        super().rollback()
        self._changes = self.total_changes


class Cursor(sqlite3.Cursor):
    """What a statement meets, the rest has to know, too."""

    def execute(self, *arguments: Any) -> Cursor:  # noqa: ANN401 - the driver's own
        """Execute a statement."""
        try:
            super().execute(*arguments)
        except sqlite3.Error as error:
            _note(self.connection, error)
            raise
        return self

    def executemany(self, *arguments: Any) -> Cursor:  # noqa: ANN401 - the driver's own
        """Execute a statement for each of many."""
        try:
            super().executemany(*arguments)
        except sqlite3.Error as error:
            _note(self.connection, error)
            raise
        return self


def _note(connection: sqlite3.Connection, error: sqlite3.Error) -> None:
    if isinstance(connection, Connection):
        connection.rest.note(error)


def writable(file: Path) -> bool:
    """Whether the file can be written, and there is some room on its disk. Blocks."""
    connection = None
    try:
        with tempfile.TemporaryFile(dir=file.parent) as room:
            room.write(bytes(ROOM_BYTES))
            room.flush()
            os.fsync(room.fileno())
        connection = sqlite3.connect(file, isolation_level=None)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {version:d}")  # a write that changes nothing
    except (OSError, sqlite3.Error):
        return False
    finally:
        if connection is not None:
            connection.close()
    return True
