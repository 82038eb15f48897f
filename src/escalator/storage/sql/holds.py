"""Nodes that people hold, in a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from escalator.model.hold import Hold
from escalator.model.progress import CampaignState
from escalator.storage.engine import Database
from escalator.storage.sql.upsert import insert_or_replace
from escalator.storage.tables import campaigns, holds

_PUT = insert_or_replace(holds)
_ALL = sa.select(holds)
_OF = _ALL.where(holds.c.node == sa.bindparam("of"))
_GATE = (
    sa.select(campaigns.c.state, *holds.c)
    .join_from(campaigns, holds, holds.c.node == sa.bindparam("of"), isouter=True)
    .where(campaigns.c.name == sa.bindparam("campaign"))
)
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

    async def get(self, node: str) -> Hold | None:
        """Return the node's hold, or None."""

        def work(connection: sa.Connection) -> Hold | None:
            row = connection.execute(_OF, {"of": node}).one_or_none()
            return None if row is None else Hold(**row._asdict())

        return await self._database.read(work)

    async def gate(self, campaign: str, node: str) -> tuple[CampaignState | None, Hold | None]:
        """Return the campaign's state and the node's hold, each None where there is none."""
        values = {"campaign": campaign, "of": node}
        row = await self._database.read(lambda connection: connection.execute(_GATE, values).one_or_none())
        if row is None:
            return None, await self.get(node)
        found = row._asdict()
        state = CampaignState(found.pop("state"))
        return state, None if found["node"] is None else Hold(**found)

    async def list(self) -> Sequence[Hold]:
        """Return all of them, in order of node."""

        def work(connection: sa.Connection) -> Sequence[Hold]:
            found = (Hold(**row._asdict()) for row in connection.execute(_ALL))
            return sorted(found, key=lambda hold: hold.node)

        return await self._database.read(work)
