"""Every test here that asks for `store` or `stores` runs over each kind of storage.

A database has its tables from a template: the migrations run once, and what they do is for `test_schema.py` alone.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from beds.postgresql.fixtures import postgresql_server, postgresql_url
from beds.postgresql.server import Server
from escalator.storage.memory import memory_store
from escalator.storage.opening import FILE, open_postgresql, open_sqlite
from escalator.storage.port import Store

__all__ = ["postgresql_server", "postgresql_url"]

Opener = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same storage again at each call."""
    if request.param == "memory":
        store = memory_store()

        @asynccontextmanager
        async def same() -> AsyncIterator[Store]:
            yield store

        return same
    return request.getfixturevalue(f"{request.param}_opener")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def sql_opener(request: pytest.FixtureRequest) -> Opener:
    """As `opener`, for the databases alone."""
    return request.getfixturevalue(f"{request.param}_opener")


def migrated(opener: Opener) -> None:
    """Open the storage once, in a thread of its own: a loop may be running in this one."""

    async def once() -> None:
        async with opener():
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(once())).result()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory whose SQLite file has its tables, to be copied."""
    state = tmp_path_factory.mktemp("template") / "state"
    migrated(lambda: open_sqlite(state / FILE))
    return state


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: Server) -> Iterator[str]:
    """Name of a database that has its tables."""
    with postgresql_server.database() as name:
        migrated(lambda: open_postgresql(postgresql_server.url(name), "escalator"))
        yield name


@pytest.fixture
def migrated_url(postgresql_server: Server, postgresql_template: str) -> Iterator[str]:
    """Address of a new database that has its tables and nothing in them."""
    with postgresql_server.database(postgresql_template) as name:
        yield postgresql_server.url(name)


@pytest.fixture
def sqlite_opener(sqlite_template: Path, tmp_path: Path) -> Opener:
    shutil.copytree(sqlite_template, tmp_path / "state")
    return lambda: open_sqlite(tmp_path / "state" / FILE)


@pytest.fixture
def postgresql_opener(migrated_url: str) -> Opener:
    return lambda: open_postgresql(migrated_url, "escalator")


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[Store]:
    async with opener() as opened:
        yield opened


@pytest.fixture
async def stores(opener: Opener) -> AsyncIterator[tuple[Store, Store]]:
    """Two servers on one database (in memory: one store twice)."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(opener()), await stack.enter_async_context(opener())
