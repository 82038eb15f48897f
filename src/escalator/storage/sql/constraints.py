"""What VNFs declare, in a database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from escalator.model.constraint import Constraint, ConstraintKind, MaintenanceInfo
from escalator.storage import rules
from escalator.storage.engine import Database
from escalator.storage.sql.upsert import insert_or_replace
from escalator.storage.tables import constraints

BATCH = 500
"""Ids per query: databases bound how many values a statement may carry."""
_PUT = insert_or_replace(constraints)
_IS = (constraints.c.kind == sa.bindparam("of")) & (constraints.c.id == sa.bindparam("key"))
_REMOVE = constraints.delete().where(_IS)
_GET = sa.select(constraints).where(_IS)
_ALL = sa.select(constraints)
_FIND = _ALL.where(constraints.c.id.in_(sa.bindparam("ids", expanding=True)))


class SqlConstraints:
    """Constraints by kind and id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, constraint: Constraint) -> None:
        """Store, in place of what was declared before."""
        spec = constraint.spec.model_dump_json(exclude_defaults=True)
        values = {"kind": constraint.kind, "id": constraint.id, "spec_json": spec}
        await self._database.write(lambda connection: _PUT.inserts(connection, values))

    async def remove(self, kind: ConstraintKind, object_id: str) -> None:
        """Forget; raises NotFoundError when nothing is declared."""

        def work(connection: sa.Connection) -> None:
            if connection.execute(_REMOVE, {"of": kind, "key": object_id}).rowcount == 0:
                raise rules.no_constraint(kind, object_id)

        await self._database.write(work)

    async def get(self, kind: ConstraintKind, object_id: str) -> Constraint | None:
        """Return what is declared for that one, or None."""
        values = {"of": kind, "key": object_id}
        row = await self._database.read(lambda connection: connection.execute(_GET, values).one_or_none())
        return None if row is None else _constraint(row)

    async def find(self, keys: Collection[tuple[ConstraintKind, str]]) -> Sequence[Constraint]:
        """Return what is declared for any of these, in order of kind and id."""
        wanted = set(keys)
        ids = sorted({key[1] for key in wanted})

        def work(connection: sa.Connection) -> list[Constraint]:
            batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
            rows = [row for batch in batches for row in connection.execute(_FIND, {"ids": batch})]
            return _sorted(_constraint(row) for row in rows if (row.kind, row.id) in wanted)

        return await self._database.read(work)

    async def list(self) -> Sequence[Constraint]:
        """Return all, in order of kind and id."""
        return await self._database.read(
            lambda connection: _sorted(_constraint(row) for row in connection.execute(_ALL)), long=True
        )


def _sorted(found: Iterable[Constraint]) -> list[Constraint]:
    """By code point, as the memory store does; databases sort by their own collation."""
    return sorted(found, key=lambda constraint: (constraint.kind, constraint.id))


def _constraint(row: sa.Row[Any]) -> Constraint:
    return Constraint(kind=row.kind, id=row.id, spec=MaintenanceInfo.model_validate_json(row.spec_json))
