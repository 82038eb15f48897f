"""The database: connections, transactions, and what happens when it does not answer.

A unit of work is an ordinary function on a connection. It runs in one transaction in a thread of the database, is
repeated when that is known to be harmless (nothing of it was stored), and its commit is never repeated: after a failed
commit nobody knows what stands.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError

T = TypeVar("T")

PAUSES_S = (0.0, 0.1, 0.5)
"""Pauses before a unit of work is tried again: a dropped connection and a deadlock are over at once; longer failures
are the caller's to judge."""
BUSY_TIMEOUT_S = 20.0
"""How long another writer may hold the database. Our transactions take milliseconds; a backup may take seconds."""
SQLITE_READERS = 3
CACHE_KIB = 512
"""Pages that each connection keeps; the system's own cache holds the rest. SQLite would keep 2 MiB for each."""
POSTGRESQL_CONNECTIONS = 10
IDLE_TRANSACTION_S = 60
"""After this time the server takes locks away from a replica that stopped in the middle of a transaction."""
_PASSING_STATES = {"40001", "40P01"}
"""SQLSTATE of a failed serialisation and of a deadlock."""


class Lock(Enum):
    """What a unit of work has to itself, over all replicas, from its first statement to its commit."""

    SCHEMA = 1
    NODES = 2
    IMPACTS = 3
    EVENTS = 4
    ALARMS = 5
    BACKUPS = 6


_LOCKS_OF_ESCALATOR = 0x45534341
"""First half of our advisory lock numbers, so that they meet nobody else's in a shared database."""
_TAKE = sa.text(f"SELECT pg_advisory_xact_lock({_LOCKS_OF_ESCALATOR}, :lock)")


WAL_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Pauses between tries to switch a file to write-ahead logging, in a database's own thread."""


class Database:
    """Runs units of work, each in one transaction. All raise TemporaryError when the database does not answer.

    `threads` is how many units of work run at once. A unit whose caller is cancelled still runs to its end.
    """

    def __init__(self, engine: sa.Engine, threads: int) -> None:
        self._engine = engine
        self._readers = ThreadPoolExecutor(threads, thread_name_prefix="database")
        # SQLite has one writer. Queueing here is fair and costs nothing; SQLite's own waiting polls.
        one_writer = engine.dialect.name == "sqlite"
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="database-writer") if one_writer else self._readers

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run a unit of work that changes nothing."""
        return await self._retry(work, None, self._readers, commit=False)

    async def write(self, work: Callable[[sa.Connection], T], lock: Lock | None = None) -> T:
        """Run a unit of work and commit it. Name a lock when it reads before it writes."""
        return await self._retry(work, lock, self._writers, commit=True)

    async def close(self) -> None:
        """Let what is under way end, and close all connections."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        self._writers.shutdown()
        self._engine.dispose()

    async def _retry(
        self, work: Callable[[sa.Connection], T], lock: Lock | None, threads: ThreadPoolExecutor, *, commit: bool
    ) -> T:
        loop = asyncio.get_running_loop()
        for pause in (*PAUSES_S, None):
            try:
                # A whole transaction in one visit to its thread: each change of threads costs as much as a statement.
                return await loop.run_in_executor(threads, partial(self._once, work, lock, commit=commit))
            except (OperationalError, InterfaceError) as error:
                if pause is None or not _passing(error):
                    raise unavailable(error) from error
            except PoolTimeoutError as error:
                raise unavailable(error) from error
            except DatabaseError as error:
                if type(error) is not DatabaseError:  # its subclasses are refusals of single statements
                    raise
                raise PermanentError(Code.STO_FILE, f"The database cannot be used: {error.orig}.") from error
            await asyncio.sleep(pause)
        raise AssertionError  # the last pause is None

    def _once(self, work: Callable[[sa.Connection], T], lock: Lock | None, *, commit: bool) -> T:
        with self._engine.connect() as connection:
            result = _locked(connection, work, lock)
            if commit:
                try:
                    connection.commit()
                except DBAPIError as error:
                    raise unavailable(error) from error
            return result


def _locked(connection: sa.Connection, work: Callable[[sa.Connection], T], lock: Lock | None) -> T:
    if lock is None:
        return work(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # its one lock: the right to write
    else:
        take(connection, lock)
    return work(connection)


def take(connection: sa.Connection, lock: Lock) -> None:
    """Take a lock of PostgreSQL until the end of the transaction."""
    connection.execute(_TAKE, {"lock": lock.value})


def _passing(error: DBAPIError) -> bool:
    """Whether the work was undone by something that is over: the connection broke, or another transaction was preferred."""
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _PASSING_STATES


def unavailable(error: Exception) -> TemporaryError:
    """Our error for a database that does not answer. It tells neither statement nor values."""
    said = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()
    return TemporaryError(
        Code.STO_UNAVAILABLE, f"The database does not answer as it should: {said[0] if said else 'no reason given'}"
    )


def sqlite_database(file: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Return the database in a file, which is made when it is not there."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(file)),
        # With IMMEDIATE the driver begins at the first change, taking the right to write at once: no upgrade of a
        # read lock that another writer could refuse.
        connect_args={"isolation_level": "IMMEDIATE", "timeout": busy_timeout_s},
        pool_size=1 + SQLITE_READERS,
        max_overflow=0,
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _set_up_sqlite)
    return Database(engine, SQLITE_READERS)


def _set_up_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own connection
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


def postgresql_database(url: str, schema: str) -> Database:
    """Return the database at a URL, with our tables in a schema of their own."""
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",  # the locks above rely on each statement seeing what is committed
        connect_args={
            "application_name": "escalator",
            "connect_timeout": 10,
            "options": f"-csearch_path={schema} -cidle_in_transaction_session_timeout={IDLE_TRANSACTION_S}s",
        },
        pool_size=POSTGRESQL_CONNECTIONS,
        max_overflow=0,
        hide_parameters=True,
    )
    return Database(engine, POSTGRESQL_CONNECTIONS)
