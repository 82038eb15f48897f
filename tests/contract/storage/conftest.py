"""Every test here that asks for `store` or `stores` runs over each kind of storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from beds.postgresql.fixtures import postgresql_server, postgresql_url
from escalator.storage.memory import memory_store
from escalator.storage.opening import open_postgresql, open_sqlite
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


@pytest.fixture
def sqlite_opener(tmp_path: Path) -> Opener:
    return lambda: open_sqlite(tmp_path / "state" / "escalator.sqlite")


@pytest.fixture
def postgresql_opener(postgresql_url: str) -> Opener:
    return lambda: open_postgresql(postgresql_url, "escalator")


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[Store]:
    async with opener() as opened:
        yield opened


@pytest.fixture
async def stores(opener: Opener) -> AsyncIterator[tuple[Store, Store]]:
    """Two servers on one database (in memory: one store twice)."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(opener()), await stack.enter_async_context(opener())
