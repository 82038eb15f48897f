"""Short units of work on a SQLite file run in the caller's thread; whatever would wait runs in another."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from contract.storage.samples import event, task
from escalator.storage.engine import Database, Lock
from escalator.storage.opening import open_sqlite
from escalator.storage.sql import sql_store
from escalator.storage.sqlite import sqlite_database


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    async with open_sqlite(tmp_path / "escalator.sqlite"):
        return tmp_path / "escalator.sqlite"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    opened = sqlite_database(file)
    yield opened
    await opened.close()


def where(_: sa.Connection) -> int:
    return threading.get_ident()


def add(connection: sa.Connection) -> None:
    connection.exec_driver_sql("INSERT INTO holds VALUES ('n1', 'why', 1.0)")


async def holds(database: Database) -> int:
    return await database.read(lambda connection: int(connection.exec_driver_sql("SELECT count(*) FROM holds").scalar_one()))


async def test_short_work_runs_here_and_long_work_elsewhere(database: Database) -> None:
    here = threading.get_ident()
    assert await database.read(where) == await database.write(where) == await database.write(where, Lock.NODES) == here
    assert here not in {await database.read(where, long=True), await database.write(where, long=True)}


async def test_here_nothing_waits_for_another_writer(database: Database) -> None:
    ask = "PRAGMA busy_timeout"
    assert await database.read(lambda connection: connection.exec_driver_sql(ask).scalar_one()) == 0
    assert await database.read(lambda connection: connection.exec_driver_sql(ask).scalar_one(), long=True) > 1000


async def test_work_of_another_threads_loop_does_not_use_the_connection(database: Database) -> None:
    async def ask() -> tuple[int, int]:
        return threading.get_ident(), await database.read(where)

    caller, worker = await asyncio.to_thread(lambda: asyncio.run(ask()))
    assert worker not in (caller, threading.get_ident())


async def test_while_somebody_else_writes_the_loop_goes_on_and_reads(file: Path, database: Database) -> None:
    store = sql_store(database)
    await store.tasks.put(task(), [event("before")])
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting: list[asyncio.Task[None]] = [
        asyncio.create_task(store.tasks.put(task(), [event("after")])),
        asyncio.create_task(database.write(add, Lock.NODES)),
    ]
    for _ in range(100):
        await asyncio.sleep(0)
        assert await store.tasks.get("c1", "n1") == task()
    assert not any(work.done() for work in waiting)
    other.execute("COMMIT")
    other.close()
    async with asyncio.timeout(60):
        await asyncio.gather(*waiting)
    assert [found.action for found in await store.events.read()] == ["before", "after"]
    assert await holds(database) == 1


async def test_work_that_fails_leaves_nothing_and_the_next_goes_on(database: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        add(connection)
        raise ArithmeticError

    with pytest.raises(ArithmeticError, match=r"^$"):
        await database.write(fail)
    assert await holds(database) == 0
    await database.write(add)
    assert await holds(database) == 1


async def test_work_whose_caller_is_cancelled_stands(database: Database) -> None:
    doomed = asyncio.create_task(database.write(add))
    await asyncio.sleep(0)
    doomed.cancel()
    await asyncio.gather(doomed, return_exceptions=True)
    assert await holds(database) == 1
    assert doomed.cancelled()


async def test_others_get_their_turn_between_units_of_work(database: Database) -> None:
    turns: list[str] = []

    async def take_turns(name: str) -> None:
        for _ in range(3):
            await holds(database)
            turns.append(name)

    await asyncio.gather(take_turns("a"), take_turns("b"))
    assert turns == ["a", "b"] * 3


async def test_reading_holds_no_state_of_the_file(file: Path, database: Database) -> None:
    assert await holds(database) == 0
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("INSERT INTO holds VALUES ('n2', 'why', 1.0)")
    assert await holds(database) == 1
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    other.close()
