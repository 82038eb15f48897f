"""Migrations of our tables: run when a store is opened, each in the transaction of all.

Belongs here: Alembic revisions, oldest first, each complete in itself (no import of `tables`, which goes on changing).
A revision that was released is never edited. `versions/*.py` are loaded by Alembic, not imported.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

VERSION_TABLE = "schema_revision"
FOLDER = Path(__file__).parent


def migrate(connection: sa.Connection) -> None:
    """Bring the schema up to date; raises PermanentError when it is newer than this Escalator."""
    if revisions(connection) == (newest(),):
        return
    from escalator.storage.migrations.upgrade import upgrade  # noqa: PLC0415 - Alembic takes 12 MB, and is seldom needed

    upgrade(connection, revisions(connection))


def newest() -> str:
    """The last revision that this Escalator knows; its number begins the name of its file."""
    return max(file.name[1:5] for file in (FOLDER / "versions").glob("r[0-9][0-9][0-9][0-9]_*.py"))


def revisions(connection: sa.Connection) -> tuple[str, ...]:
    """Return the revision that the schema is at; nothing for an empty database."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return ()
    return tuple(connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))).scalars())
