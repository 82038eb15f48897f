"""Subscriptions of VNF managers, in a database. They end with the registration that they hang on: the tables say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from escalator.model.subscription import Filter, Subscription
from escalator.storage import rules
from escalator.storage.engine import Database
from escalator.storage.sql.upsert import insert_or_keep
from escalator.storage.tables import subscriptions, vnfms

_IS = subscriptions.c.vnfm == sa.bindparam("key")
_ADD = insert_or_keep(subscriptions)
_REMOVE = subscriptions.delete().where(_IS)
_REPLACE = subscriptions.update().where(_IS)
_GET = sa.select(subscriptions).where(_IS)
_ALL = sa.select(subscriptions)
# Held until the end of the transaction, so that the registration cannot go before its subscription is there.
_REGISTERED = sa.select(vnfms.c.name).where(vnfms.c.name == sa.bindparam("key")).with_for_update(read=True, key_share=True)


class SqlSubscriptions:
    """Subscriptions by the name of their VNF manager."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: Subscription) -> None:
        """Store; raises ConflictError when the VNF manager has one, NotFoundError when it is not registered."""
        values = _values(row)

        def work(connection: sa.Connection) -> None:
            if connection.execute(_REGISTERED, {"key": row.vnfm}).one_or_none() is None:
                raise rules.no_vnfm(row.vnfm)
            if not _ADD.inserts(connection, values):
                raise rules.subscribed_already(row.vnfm)

        await self._database.write(work)

    async def replace(self, row: Subscription) -> None:
        """Store in place of the VNF manager's own; raises NotFoundError when it has none."""
        values = _values(row)

        def work(connection: sa.Connection) -> None:
            if connection.execute(_REPLACE.values(values), {"key": row.vnfm}).rowcount == 0:
                raise rules.no_subscription(row.vnfm)

        await self._database.write(work)

    async def remove(self, vnfm: str) -> None:
        """Forget; raises NotFoundError when the VNF manager has none."""

        def work(connection: sa.Connection) -> None:
            if connection.execute(_REMOVE, {"key": vnfm}).rowcount == 0:
                raise rules.no_subscription(vnfm)

        await self._database.write(work)

    async def get(self, vnfm: str) -> Subscription | None:
        """Return that of the VNF manager, or None."""
        row = await self._database.read(lambda connection: connection.execute(_GET, {"key": vnfm}).one_or_none())
        return None if row is None else _subscription(row)

    async def list(self) -> Sequence[Subscription]:
        """Return all in order of the VNF managers' names."""
        rows = await self._database.read(lambda connection: [_subscription(row) for row in connection.execute(_ALL)], long=True)
        # By code point, as the memory store does; databases sort by their own collation.
        return sorted(rows, key=lambda row: row.vnfm)


def _values(row: Subscription) -> dict[str, Any]:
    return {
        "vnfm": row.vnfm,
        "callback_uri": row.callback_uri,
        "filter_json": row.filter.model_dump_json(by_alias=True, exclude_none=True),
        "auth": row.auth,
        "sealed": row.sealed,
        "created_at": row.created_at,
    }


def _subscription(row: sa.Row[Any]) -> Subscription:
    return Subscription(
        vnfm=row.vnfm,
        callback_uri=row.callback_uri,
        filter=Filter.kept(row.filter_json),
        auth=row.auth,
        sealed=row.sealed,
        created_at=row.created_at,
    )
