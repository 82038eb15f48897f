"""Opening storage as the settings say."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import sqlalchemy as sa

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.settings import Settings
from escalator.storage.engine import Lock, postgresql_database
from escalator.storage.migrations import migrate
from escalator.storage.port import Store
from escalator.storage.sql import sql_store
from escalator.storage.sqlite import sqlite_database

FILE = "escalator.sqlite"
"""Name of our SQLite file in the state directory."""


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open storage, bring its tables up to date, and close it at the end.

    Raises TemporaryError when the database does not answer, PermanentError when its schema is newer than this
    Escalator or its file cannot be used.
    """
    url = settings.database.url
    async with (
        open_sqlite(settings.state / FILE) if url is None else open_postgresql(url, settings.database.schema_name) as store
    ):
        yield store


@asynccontextmanager
async def open_sqlite(file: Path) -> AsyncIterator[Store]:
    """Open storage in a file. Only its owner may read it: it holds the addresses that VNF managers answer to."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise PermanentError(Code.STO_FILE, f"{file} cannot be used: {error.strerror}.") from error
    database = sqlite_database(file)
    try:
        await database.write(migrate, Lock.SCHEMA, long=True)
        yield sql_store(database)
    finally:
        await database.close()


@asynccontextmanager
async def open_postgresql(url: str, schema: str) -> AsyncIterator[Store]:
    """Open storage in a schema of a PostgreSQL database; the schema is made when it is not there."""
    database = postgresql_database(url, schema)
    try:
        await database.write(lambda connection: _migrate_schema(connection, schema), Lock.SCHEMA, long=True)
        yield sql_store(database)
    finally:
        await database.close()


def _migrate_schema(connection: sa.Connection, schema: str) -> None:
    if not sa.inspect(connection).has_schema(schema):
        connection.execute(sa.schema.CreateSchema(schema))
    migrate(connection)
