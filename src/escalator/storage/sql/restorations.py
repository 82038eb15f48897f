"""What has to be put back, in a database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from escalator.model.progress import Restoration
from escalator.storage import rules
from escalator.storage.engine import Database
from escalator.storage.sql.upsert import Upsert
from escalator.storage.tables import restorations as table

_VALUES = [column.name for column in table.columns if not column.primary_key]
_lite, _post = sqlite.insert(table), postgresql.insert(table)
_ADD = Upsert(
    _lite.on_conflict_do_update(
        index_elements=[table.c.id],
        set_={name: _lite.excluded[name] for name in _VALUES},
        where=table.c.restored_at.is_not(None),  # an open row stays as it is
    ),
    _post.on_conflict_do_update(
        index_elements=[table.c.id],
        set_={name: _post.excluded[name] for name in _VALUES},
        where=table.c.restored_at.is_not(None),
    ),
)
_GET = sa.select(table).where(table.c.id == sa.bindparam("id"))
_DONE = table.update().where(table.c.id == sa.bindparam("key"), table.c.restored_at.is_(None))
_SAY = _DONE.values(commands_json=sa.bindparam("commands_json"))
_OPEN = sa.select(table).where(table.c.restored_at.is_(None)).order_by(table.c.created_at, table.c.id)
_OF_CAMPAIGN, _OF_NODE = table.c.campaign == sa.bindparam("campaign"), table.c.node == sa.bindparam("node")
_READ = {
    (False, False): _OPEN,
    (True, False): _OPEN.where(_OF_CAMPAIGN),
    (False, True): _OPEN.where(_OF_NODE),
    (True, True): _OPEN.where(_OF_CAMPAIGN, _OF_NODE),
}
"""By whether a campaign and a node are asked for."""
_WRITTEN = sa.select(table).where(_OF_CAMPAIGN).order_by(table.c.created_at, table.c.id)


class SqlRestorations:
    """Rows by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: Restoration) -> Restoration:
        """Write down before changing; the first open row of an id stays and is returned."""
        values = _values(row)

        def work(connection: sa.Connection) -> Restoration:
            connection.execute(_ADD.on(connection), values)
            return _restoration(connection.execute(_GET, {"id": row.id}).one())

        return await self._database.write(work)

    async def say(self, row_id: str, commands: Sequence[str]) -> None:
        """Replace the commands of a row; nothing happens when it is not open."""
        values = {"key": row_id, "commands_json": rules.to_text(tuple(commands))}
        await self._database.write(lambda connection: connection.execute(_SAY, values).close())

    async def done(self, row_id: str, at: float) -> None:
        """Mark as put back; nothing happens when it is not open."""
        values = {"key": row_id, "restored_at": at}
        await self._database.write(lambda connection: connection.execute(_DONE, values).close())

    async def open(self, campaign: str | None = None, node: str | None = None) -> Sequence[Restoration]:
        """Return what is not put back yet, oldest first: of everything, of a campaign, of a node, or of a campaign's node."""
        query = _READ[campaign is not None, node is not None]
        values = {"campaign": campaign, "node": node}
        rows = await self._database.read(lambda connection: connection.execute(query, values).all())
        return [_restoration(row) for row in rows]

    async def written(self, campaign: str) -> Sequence[Restoration]:
        """Return all that was ever written down of a campaign, put back or not, oldest first."""
        values = {"campaign": campaign}
        rows = await self._database.read(lambda connection: connection.execute(_WRITTEN, values).all(), long=True)
        return [_restoration(row) for row in rows]


def _values(row: Restoration) -> Mapping[str, Any]:
    return {
        "id": row.id,
        "campaign": row.campaign,
        "kind": row.kind,
        "object_id": row.object_id,
        "node": row.node,
        "found_json": rules.to_text(dict(row.found)),
        "commands_json": rules.to_text(row.commands),
        "created_at": row.created_at,
        "restored_at": None,
    }


def _restoration(row: sa.Row[Any]) -> Restoration:
    values = row._asdict()
    found = json.loads(values.pop("found_json"))
    commands = tuple(json.loads(values.pop("commands_json")))
    return Restoration(**values, found=found, commands=commands)
