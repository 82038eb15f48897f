"""The database: connections, transactions, and what happens when it does not answer.

A unit of work is an ordinary function on a connection. It runs in one transaction, in a thread of the database or, short
as most are and where there is no network between, at once; it is repeated when that is known to be harmless (nothing of
it was stored), and its commit is never repeated: after a failed commit nobody knows what stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from typing import Protocol, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from escalator.model.codes import Code
from escalator.model.errors import InputError, PermanentError, TemporaryError

T = TypeVar("T")

PAUSES_S = (0.0, 0.1, 0.5)
"""Pauses before a unit of work is tried again: a dropped connection and a deadlock are over at once; longer failures
are the caller's to judge."""
POSTGRESQL_CONNECTIONS = 10
IDLE_TRANSACTION_S = 60
"""After this time the server takes locks away from a replica that stopped in the middle of a transaction."""
_PASSING_STATES = {"40001", "40P01"}
"""SQLSTATE of a failed serialisation and of a deadlock."""


UNREADABLE = (
    "Run the version of Escalator that wrote it, or put the backup in its place: docs/howto/operate-the-server.md#restore"
)


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


class BusyError(Exception):
    """Somebody else writes: nothing was done, and it can be waited for in a thread."""


class AtOnce(Protocol):
    """Runs short units of work in the caller's own thread."""

    @property
    def here(self) -> bool:
        """Whether the caller's thread is the one."""

    def run(self, work: Callable[[sa.Connection], T], lock: Lock | None, *, commit: bool) -> T:
        """Run the work in one transaction. Raises BusyError when it would have to wait."""

    def close(self) -> None:
        """Close the connection."""


class Database:
    """Runs units of work, each in one transaction. All raise TemporaryError when the database does not answer.

    `threads` is how many units of work run in threads. A unit whose caller is cancelled still runs to its end.
    `at_once` runs the short ones, where there is such a thing: a change of threads costs more than a few rows.
    """

    def __init__(self, engine: sa.Engine, threads: int, at_once: AtOnce | None = None) -> None:
        self._engine = engine
        self._at_once = at_once
        self._readers = ThreadPoolExecutor(threads, thread_name_prefix="database")
        # SQLite has one writer. Queueing here is fair and costs nothing; SQLite's own waiting polls.
        one_writer = engine.dialect.name == "sqlite"
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="database-writer") if one_writer else self._readers

    async def read(self, work: Callable[[sa.Connection], T], *, long: bool = False) -> T:
        """Run a unit of work that changes nothing; `long` when it may meet more than some rows, or long texts."""
        return await self._retry(work, None, self._readers, commit=False, long=long)

    async def write(self, work: Callable[[sa.Connection], T], lock: Lock | None = None, *, long: bool = False) -> T:
        """Run a unit of work and commit it. Name a lock when it reads before it writes; `long` as for reading."""
        return await self._retry(work, lock, self._writers, commit=True, long=long)

    async def close(self) -> None:
        """Let what is under way end, and close all connections."""
        if self._at_once is not None:
            self._at_once.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        self._writers.shutdown()
        self._engine.dispose()

    async def _retry(
        self, work: Callable[[sa.Connection], T], lock: Lock | None, threads: ThreadPoolExecutor, *, commit: bool, long: bool
    ) -> T:
        for pause in (*PAUSES_S, None):
            try:
                return await self._somewhere(work, lock, threads, commit=commit, long=long)
            except (OperationalError, InterfaceError) as error:
                if pause is None or not _passing(error):
                    raise unavailable(error) from error
            except PoolTimeoutError as error:
                raise unavailable(error) from error
            except DataError as error:
                # A NUL in a name, which SQLite looks for in vain.
                raise InputError(Code.API_BODY, f"The database cannot hold what was given: {error.orig}.") from error
            except DatabaseError as error:
                if type(error) is not DatabaseError:  # its subclasses are refusals of single statements
                    raise
                raise _damaged(self._engine.url.database, error) from error
            await asyncio.sleep(pause)
        raise AssertionError  # the last pause is None

    async def _somewhere(
        self, work: Callable[[sa.Connection], T], lock: Lock | None, threads: ThreadPoolExecutor, *, commit: bool, long: bool
    ) -> T:
        if self._at_once is not None and not long and self._at_once.here:
            try:
                result = self._at_once.run(work, lock, commit=commit)
            except BusyError:
                pass
            else:
                await asyncio.sleep(0)  # others get their turn at each unit of work, wherever it runs
                return result
        # A whole transaction in one visit to its thread: each change of threads costs more than a statement.
        return await asyncio.get_running_loop().run_in_executor(threads, partial(self._once, work, lock, commit=commit))

    def _once(self, work: Callable[[sa.Connection], T], lock: Lock | None, *, commit: bool) -> T:
        with self._engine.connect() as connection:
            result = locked(connection, work, lock)
            if commit:
                committed(connection)
            return result


def _damaged(name: str | None, error: DatabaseError) -> PermanentError:
    message = f"The database {name or ''} cannot be used: {error.orig}.".replace("  ", " ")
    remedy = (
        "Until then the break-glass sheet says what is to be put back. See ls -l and df -h of its folder;"
        " where the file is damaged, put the backup in its place: docs/howto/operate-the-server.md#restore"
    )
    return PermanentError(Code.STO_FILE, message, remedy=remedy)


def committed(connection: sa.Connection) -> None:
    """Commit. Raises TemporaryError when that fails, whatever the reason: nobody may repeat it."""
    try:
        connection.commit()
    except DBAPIError as error:
        raise unavailable(error) from error


def locked(connection: sa.Connection, work: Callable[[sa.Connection], T], lock: Lock | None) -> T:
    """Do the work with the lock, if one is named, from its first statement to its commit."""
    if lock is None:
        return _read(connection, work)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # its one lock: the right to write
    else:
        take(connection, lock)
    return _read(connection, work)


def _read(connection: sa.Connection, work: Callable[[sa.Connection], T]) -> T:
    """Do the work. Raises PermanentError where a row cannot be read: it was changed by hand, or by another version."""
    try:
        return work(connection)
    except UnicodeError:
        raise  # of what was given
    except ValueError as error:
        why = _of_a_model(error) if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
        message = f"A row of the database cannot be read ({why}): it was changed by hand, or written by another version."
        raise PermanentError(Code.STO_FILE, message, remedy=UNREADABLE) from error


def _of_a_model(error: ValidationError) -> str:
    """Its first problem without the value, which may be a secret."""
    first = error.errors(include_input=False)[0]
    return f"{error.title} {'.'.join(map(str, first['loc']))}: {first['msg']}"


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
