"""Campaigns and plans in a database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from escalator.model.progress import CampaignState, Event, NodeTask
from escalator.storage import rules
from escalator.storage.engine import Database
from escalator.storage.port import CampaignRow, PlanRow
from escalator.storage.sql.events import insert_events
from escalator.storage.sql.tasks import values_of
from escalator.storage.sql.upsert import insert_or_keep, insert_or_replace
from escalator.storage.tables import campaigns, memos, occupying, plans, tasks

_ADD = insert_or_keep(campaigns)
_GET = sa.select(campaigns).where(campaigns.c.name == sa.bindparam("name"))
STATE = sa.select(campaigns.c.state).where(campaigns.c.name == sa.bindparam("name"))
"""The state alone of the campaign `name`."""
_LIST = sa.select(campaigns).order_by(campaigns.c.created_at, campaigns.c.name)
_TOUCH = (
    campaigns.update()
    .where(campaigns.c.name == sa.bindparam("key"))
    .values(revision=campaigns.c.revision + 1)
    .returning(*campaigns.c)
)
_CHANGE = campaigns.update().where(campaigns.c.name == sa.bindparam("key"))
_REMOVE = campaigns.delete().where(campaigns.c.name == sa.bindparam("key"))
_NO_PLANS = plans.delete().where(plans.c.campaign == sa.bindparam("key"))
_NO_TASKS = tasks.delete().where(tasks.c.campaign == sa.bindparam("key"))
_NO_MEMO = memos.delete().where(memos.c.task == sa.bindparam("key"))
_TASKS = tasks.insert()
_REMEMBER = insert_or_replace(memos)
_RUNNING = sa.select(campaigns.c.name).where(campaigns.c.cloud == sa.bindparam("cloud"), occupying)

_ADD_PLAN = insert_or_keep(plans)
_PLAN = sa.select(plans).where(plans.c.id == sa.bindparam("id"))
_PLANS = (
    sa.select(plans.c.id, plans.c.campaign, plans.c.parent, plans.c.digest, plans.c.created_at)
    .where(plans.c.campaign == sa.bindparam("campaign"))
    .order_by(plans.c.created_at, plans.c.id)
)


class SqlCampaigns:
    """Campaigns and their plans."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: CampaignRow) -> None:
        """Store; raises ConflictError when the name, or the cloud of a running campaign, is taken."""
        values = {"name": row.name, **_values(row)}

        def work(connection: sa.Connection) -> None:
            try:
                added = _ADD.inserts(connection, values)
            except IntegrityError as error:
                raise rules.cloud_taken(str(row.cloud)) from error
            if not added:
                raise rules.campaign_exists(row.name)

        await self._database.write(work)

    async def get(self, name: str) -> CampaignRow | None:
        """Return the campaign, or None."""
        row = await self._database.read(lambda connection: connection.execute(_GET, {"name": name}).one_or_none())
        return None if row is None else _campaign(row)

    async def state(self, name: str) -> CampaignState | None:
        """Return the campaign's state alone, or None."""
        state = await self._database.read(lambda connection: connection.execute(STATE, {"name": name}).scalar_one_or_none())
        return None if state is None else CampaignState(state)

    async def list(self) -> Sequence[CampaignRow]:
        """Return all in order of creation."""
        return await self._database.read(lambda connection: [_campaign(row) for row in connection.execute(_LIST)], long=True)

    async def change(
        self,
        name: str,
        expected: Sequence[CampaignState],
        events: Sequence[Event] = (),
        memo: Mapping[str, object] | None = None,
        **changes: object,
    ) -> CampaignRow:
        """Change fields and append the events; raises NotFoundError, or ConflictError when the state is another."""
        remembered = _remembered(name, memo or {})

        def work(connection: sa.Connection) -> CampaignRow:
            fields: dict[str, Any] = changes
            changed = replace(_touched(connection, name, expected), **fields)
            if remembered:
                connection.execute(_REMEMBER.on(connection), remembered)
            _store(connection, changed)
            insert_events(connection, events)
            return changed

        changed = await self._database.write(work)
        return replace(changed, document=rules.plain(changed.document)) if "document" in changes else changed

    async def start(
        self, name: str, tasks: Sequence[NodeTask], events: Sequence[Event], memo: Mapping[str, object], **changes: object
    ) -> CampaignRow:
        """Change a planned one, with these node tasks and no others; raises as `change`, and ConflictError without its plan."""
        values = [values_of(task) for task in tasks]
        remembered = _remembered(name, memo)

        def work(connection: sa.Connection) -> CampaignRow:
            fields: dict[str, Any] = changes
            changed = replace(_touched(connection, name, (CampaignState.PLANNED,)), **fields)
            plan = connection.execute(_PLAN, {"id": changed.plan}).one_or_none()
            if plan is None or plan.campaign != name:
                raise rules.edited_meanwhile(name)
            connection.execute(_NO_TASKS, {"key": name})
            if values:
                connection.execute(_TASKS, values)
            if remembered:
                connection.execute(_REMEMBER.on(connection), remembered)
            _store(connection, changed)
            insert_events(connection, events)
            return changed

        return await self._database.write(work, long=True)

    async def withdraw(
        self, name: str, expected: Sequence[CampaignState], events: Sequence[Event], instead: CampaignRow | None = None
    ) -> None:
        """Remove it with all that is kept of it, or put another in its place; raises as `change`."""

        def work(connection: sa.Connection) -> None:
            _touched(connection, name, expected)
            connection.execute(_NO_PLANS, {"key": name})
            if instead is None:
                for gone in (_NO_TASKS, _NO_MEMO, _REMOVE):
                    connection.execute(gone, {"key": name})
            else:
                _store(connection, instead)
            insert_events(connection, events)

        await self._database.write(work)

    async def add_plan(self, row: PlanRow) -> None:
        """Store; raises NotFoundError without its campaign, ConflictError when the id has another digest."""
        values = {
            "id": row.id,
            "campaign": row.campaign,
            "parent": row.parent,
            "digest": row.digest,
            "document": row.document,
            "inventory": row.inventory,
            "created_at": row.created_at,
        }

        def work(connection: sa.Connection) -> None:
            try:
                connection.execute(_ADD_PLAN.on(connection), values)
            except IntegrityError as error:
                raise rules.no_campaign(row.campaign) from error
            if connection.execute(_PLAN, {"id": row.id}).one().digest != row.digest:
                raise rules.plan_exists(row.id)

        await self._database.write(work, long=True)

    async def get_plan(self, plan_id: str) -> PlanRow | None:
        """Return the plan, or None."""
        row = await self._database.read(lambda connection: connection.execute(_PLAN, {"id": plan_id}).one_or_none(), long=True)
        return None if row is None else PlanRow(**row._asdict())

    async def list_plans(self, campaign: str) -> Sequence[PlanRow]:
        """Return the campaign's plans, oldest first, without their texts."""
        rows = await self._database.read(lambda connection: connection.execute(_PLANS, {"campaign": campaign}).all(), long=True)
        return [PlanRow(**row._asdict(), document="", inventory="") for row in rows]


def _remembered(name: str, memo: Mapping[str, object]) -> list[Mapping[str, str]]:
    """Rows of what is remembered of the campaign."""
    return [{"task": name, "key": key, "value_json": rules.to_text(value)} for key, value in memo.items()]


def _touched(connection: sa.Connection, name: str, expected: Sequence[CampaignState]) -> CampaignRow:
    """The campaign, which is ours until the commit; raises NotFoundError, or ConflictError when its state is another."""
    touched = connection.execute(_TOUCH, {"key": name}).one_or_none()
    if touched is None:
        raise rules.no_campaign(name)
    row = _campaign(touched)
    if row.state not in expected:
        raise rules.wrong_state(name, row.state, expected)
    return row


def _store(connection: sa.Connection, row: CampaignRow) -> None:
    """Write the changed row. The partial unique index is the rule; the question before it is for a good message."""
    if row.cloud is not None and row.state in rules.OCCUPYING:
        for other in connection.execute(_RUNNING, {"cloud": row.cloud}).scalars():
            if other != row.name:
                raise rules.cloud_taken(row.cloud, other)
    try:
        connection.execute(_CHANGE, {"key": row.name, **_values(row)})
    except IntegrityError as error:
        raise rules.cloud_taken(str(row.cloud)) from error


def _values(row: CampaignRow) -> Mapping[str, Any]:
    """All columns but the key."""
    return {
        "document_json": rules.to_text(row.document),
        "state": row.state.value,
        "cloud": row.cloud,
        "plan": row.plan,
        "code": row.code,
        "reason": row.reason,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "revision": row.revision,
    }


def _campaign(row: sa.Row[Any]) -> CampaignRow:
    values = row._asdict()
    document = json.loads(values.pop("document_json"))
    state = CampaignState(values.pop("state"))
    return CampaignRow(**values, document=document, state=state)
