"""`INSERT … ON CONFLICT`, which SQLite and PostgreSQL spell alike and SQLAlchemy keeps apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


@dataclass(frozen=True, slots=True)
class Upsert:
    """One statement in both dialects."""

    sqlite: sqlite.Insert
    postgresql: postgresql.Insert

    def on(self, connection: sa.Connection) -> sa.Insert:
        """Return the statement for the connection's database."""
        return self.sqlite if connection.dialect.name == "sqlite" else self.postgresql

    def inserts(self, connection: sa.Connection, values: Mapping[str, Any]) -> bool:
        """Execute for one row; False when its key was there."""
        # Without the option the number of inserted rows is not kept for PostgreSQL.
        result = connection.execute(self.on(connection), values, execution_options={"preserve_rowcount": True})
        return result.rowcount > 0


def insert_or_keep(table: sa.Table) -> Upsert:
    """Insert rows; a row whose key is there stays as it is."""
    keys = list(table.primary_key.columns)
    return Upsert(
        sqlite.insert(table).on_conflict_do_nothing(index_elements=keys),
        postgresql.insert(table).on_conflict_do_nothing(index_elements=keys),
    )


def insert_or_replace(table: sa.Table) -> Upsert:
    """Insert rows; a row whose key is there gets all other values anew."""
    keys = list(table.primary_key.columns)
    values = [column.name for column in table.columns if not column.primary_key]
    lite, post = sqlite.insert(table), postgresql.insert(table)
    return Upsert(
        lite.on_conflict_do_update(index_elements=keys, set_={name: lite.excluded[name] for name in values}),
        post.on_conflict_do_update(index_elements=keys, set_={name: post.excluded[name] for name in values}),
    )
