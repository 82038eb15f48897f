"""Our tables in a SQLite file: its connections, and the one on which short units of work run at once."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from escalator.storage.engine import BusyError, Database, Lock, committed, locked

T = TypeVar("T")

BUSY_TIMEOUT_S = 20.0
"""How long another writer may hold the database. Our transactions take milliseconds; a backup may take seconds."""
READERS = 3
CACHE_KIB = 512
"""Pages that each connection keeps; the system's own cache holds the rest. SQLite would keep 2 MiB for each."""
WAL_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Pauses between tries to switch a file to write-ahead logging, in a database's own thread."""
_PRIMARY = 0xFF
"""SQLite's result codes: the extended ones have the primary one in their last byte. Source: sqlite.org/rescode.html."""


class OwnConnection:
    """A connection of the thread that makes this, which never waits: whoever would have to goes to another thread.

    Reading does not wait in write-ahead mode, and the right to write is asked for before anything is written.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._thread = threading.get_ident()
        self._connection: sa.Connection | None = None

    @property
    def here(self) -> bool:
        """Whether the caller's thread is the one that made this."""
        return threading.get_ident() == self._thread

    def run(self, work: Callable[[sa.Connection], T], lock: Lock | None, *, commit: bool) -> T:
        """Run the work in one transaction. Raises BusyError when somebody else writes."""
        connection = self._open()
        try:
            result = locked(connection, work, lock)
            if commit:
                committed(connection)
        except OperationalError as error:
            self.close()
            if _busy(error.orig):
                raise BusyError from error
            raise
        finally:
            if self._connection is not None:
                self._connection.rollback()  # and what was only read is no state of the file to be kept
        return result

    def close(self) -> None:
        """Close the connection; the next unit of work opens another."""
        if self._connection is not None:
            self._connection.detach()
            self._connection.close()
            self._connection = None

    def _open(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            self._connection.rollback()
        return self._connection


def _busy(error: BaseException | None) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def sqlite_database(file: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Return the database in a file, which is made when it is not there. Short units of work run in the calling thread."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(file)),
        # With IMMEDIATE the driver begins at the first change, taking the right to write at once: no upgrade of a
        # read lock that another writer could refuse.
        connect_args={"isolation_level": "IMMEDIATE", "timeout": busy_timeout_s},
        pool_size=1 + 1 + READERS,
        max_overflow=0,
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _set_up)
    return Database(engine, READERS, OwnConnection(engine))


def _set_up(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own connection
    cursor = connection.cursor()
    for pause in (*WAL_PAUSES_S, None):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            # Of several that open a new file at once, SQLite lets some fail at this without any waiting.
            if pause is None:
                raise
            time.sleep(pause)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", f"cache_size = -{CACHE_KIB}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
