"""The file of a world: one row per thing, written as it changes, so that a killed process loses nothing."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from escalator.model.codes import Code
from escalator.model.errors import ConflictError, PermanentError, TemporaryError

_TABLE = "CREATE TABLE IF NOT EXISTS row (kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (kind, key))"
_PUT = "INSERT INTO row (kind, key, body) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"


class Sink(Protocol):
    """Where rows are kept."""

    @property
    def lasting(self) -> bool:
        """Whether what is put here stays; not so for an onlooker."""
        ...

    def rows_of(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """All rows of a kind as key and body, in the order in which they first came."""
        ...

    def put(self, kind: str, key: str, body: bytes) -> None:
        """Keep a row, in place of the one with that kind and key."""
        ...

    def delete(self, kind: str, key: str) -> None:
        """Forget a row."""
        ...

    def commit(self) -> None:
        """Make everything since the last commit last."""
        ...


class WorldFile:
    """SQLite file with one table. It has to survive a killed process, not a power loss: hence no fsync.

    One process writes; a second one gets ConflictError (`STO_LOCKED`) unless it opens read-only.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._lock = None if read_only else _lock(path)
        self._read_only = read_only
        try:
            self._db = _database(path, read_only=read_only)
        except sqlite3.Error as error:
            self._unlock()
            raise PermanentError(Code.STO_UNAVAILABLE, f"The file of the simulated world cannot be opened: {path}.") from error
        self._open = read_only
        self._path = path
        self._changes: list[tuple[str, str, bytes | None]] = []
        """What came since the last commit; without a body the row is forgotten."""
        self._written = 0

    @property
    def lasting(self) -> bool:
        """Whether what is put here stays; not so for an onlooker."""
        return not self._read_only

    def rows(self, without: str) -> Iterator[tuple[str, str, bytes]]:
        """All rows but those of one kind as kind, key and body, in the order in which they first came."""
        self._write()
        yield from self._db.execute("SELECT kind, key, body FROM row WHERE kind <> ? ORDER BY rowid", (without,))

    def rows_of(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """All rows of a kind as key and body, in the order in which they first came."""
        self._write()
        yield from self._db.execute("SELECT key, body FROM row WHERE kind = ? ORDER BY rowid", (kind,))

    def put(self, kind: str, key: str, body: bytes) -> None:
        """Keep a row, in place of the one with that kind and key."""
        self._changes.append((kind, key, body))

    def delete(self, kind: str, key: str) -> None:
        """Forget a row."""
        self._changes.append((kind, key, None))

    def commit(self) -> None:
        """Make everything since the last commit last; what an onlooker reads is of another moment from now on.

        Raises TemporaryError (`STO_UNAVAILABLE`) when the file cannot be written: the next commit makes all of it last.
        """
        try:
            self._write()
            if self._open:
                self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._open, self._written = False, 0
            message = f"The file of the simulated world cannot be written: {error}: {self._path}."
            raise TemporaryError(Code.STO_UNAVAILABLE, message) from error
        self._open, self._written = False, 0
        self._changes.clear()

    def _write(self) -> None:
        """Write what is not in the transaction yet. An onlooker writes nothing: its view lives in memory only."""
        if self._read_only:
            self._changes.clear()
        elif len(self._changes) > self._written and not self._open:
            self._db.execute("BEGIN IMMEDIATE")
            self._open = True
        for kind, key, body in self._changes[self._written :]:
            if body is None:
                self._db.execute("DELETE FROM row WHERE kind = ? AND key = ?", (kind, key))
            else:
                self._db.execute(_PUT, (kind, key, body))
        self._written = len(self._changes)

    def close(self) -> None:
        """Close the file and let others write to it."""
        self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            # Unlocked first: a child that another thread is just starting may hold a copy of the handle for a moment.
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)
            self._lock = None


def _database(path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    found = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False)
    try:
        if read_only:
            # What an onlooker loads is of one moment, until it says that it has all.
            found.execute("BEGIN")
        else:
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA synchronous=OFF")
            found.execute(_TABLE)
    except sqlite3.Error:
        found.close()
        raise
    return found


def _lock(path: Path) -> int:
    """Take the lock beside the file; the system lets go of it when the process ends, however it ends."""
    handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise ConflictError(Code.STO_LOCKED, f"Another process uses the simulated world in {path}.") from error
    return handle
