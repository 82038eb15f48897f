"""Nodes that people hold, in a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from escalator.model.hold import Hold
from escalator.model.progress import CampaignState
from escalator.storage.engine import Database
from escalator.storage.sql.campaigns import STATE
from escalator.storage.sql.upsert import insert_or_replace
from escalator.storage.tables import holds

_PUT = insert_or_replace(holds)
_ALL = sa.select(holds)
_OF = _ALL.where(holds.c.node == sa.bindparam("of"))
_REMOVE = sa.delete(holds).where(holds.c.node == sa.bindparam("of"))


class SqlHolds:
    """Holds by node."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, hold: Hold) -> None:
        """Store, in place of the node's hold so far."""
        await self._database.write(lambda connection: _PUT.inserts(connection, asdict(hold)))

    async def remove(self, node: str) -> bool:
        """Forget; whether there was one."""
        return await self._database.write(lambda connection: connection.execute(_REMOVE, {"of": node}).rowcount > 0)

    async def gate(self, campaign: str, node: str) -> tuple[CampaignState | None, Hold | None]:
        """Return the campaign's state and the node's hold, each None where there is none."""

        def work(connection: sa.Connection) -> tuple[CampaignState | None, Hold | None]:
            state = connection.execute(STATE, {"name": campaign}).scalar_one_or_none()
            hold = connection.execute(_OF, {"of": node}).one_or_none()
            return None if state is None else CampaignState(state), None if hold is None else Hold(**hold._asdict())

        return await self._database.read(work)

    async def list(self) -> Sequence[Hold]:
        """Return all of them, in order of node."""

        def work(connection: sa.Connection) -> Sequence[Hold]:
            found = (Hold(**row._asdict()) for row in connection.execute(_ALL))
            return sorted(found, key=lambda hold: hold.node)

        return await self._database.read(work)
