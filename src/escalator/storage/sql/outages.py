"""What probes saw of the VNFs' services, in a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from escalator.storage.engine import Database
from escalator.storage.port import OutageRow, WatchRow
from escalator.storage.sql.upsert import insert_or_replace
from escalator.storage.tables import outages, watches

_PUT = insert_or_replace(outages)
_WATCH = insert_or_replace(watches)
_OF = sa.select(outages).where(outages.c.campaign == sa.bindparam("of"))
_WATCHES = sa.select(watches).where(watches.c.campaign == sa.bindparam("of"))


class SqlOutages:
    """Outages by campaign, probe and begin."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, row: OutageRow) -> None:
        """Store, in place of what is known of that outage."""
        await self._database.write(lambda connection: _PUT.inserts(connection, asdict(row)))

    async def watch(self, row: WatchRow) -> None:
        """Store how long, and how often, a probe looked."""
        await self._database.write(lambda connection: _WATCH.inserts(connection, asdict(row)))

    async def list(self, campaign: str) -> Sequence[OutageRow]:
        """Return a campaign's outages, oldest first."""

        def work(connection: sa.Connection) -> Sequence[OutageRow]:
            found = (OutageRow(**row._asdict()) for row in connection.execute(_OF, {"of": campaign}))
            # By code point, as the memory store does; databases sort by their own collation.
            return sorted(found, key=lambda row: (row.started_at, row.probe))

        return await self._database.read(work)

    async def watches(self, campaign: str) -> Sequence[WatchRow]:
        """Return what each probe did during a campaign, in order of their names."""

        def work(connection: sa.Connection) -> Sequence[WatchRow]:
            found = (WatchRow(**row._asdict()) for row in connection.execute(_WATCHES, {"of": campaign}))
            return sorted(found, key=lambda row: row.probe)

        return await self._database.read(work)
