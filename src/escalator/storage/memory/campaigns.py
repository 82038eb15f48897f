"""Campaigns and plans in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from escalator.model.progress import CampaignState, Event, NodeTask
from escalator.storage import rules
from escalator.storage.memory.events import MemoryEvents
from escalator.storage.memory.tasks import MemoryTasks
from escalator.storage.port import CampaignRow, PlanRow


class MemoryCampaigns:
    """Campaigns and their plans."""

    def __init__(self, events: MemoryEvents, tasks: MemoryTasks) -> None:
        self._events = events
        self._tasks = tasks
        self._rows: dict[str, CampaignRow] = {}
        self._plans: dict[str, PlanRow] = {}

    async def add(self, row: CampaignRow) -> None:
        """Store; raises ConflictError when the name, or the cloud of a running campaign, is taken."""
        if row.name in self._rows:
            raise rules.campaign_exists(row.name)
        self._one_running(row)
        self._rows[row.name] = replace(row, document=rules.plain(row.document))

    async def get(self, name: str) -> CampaignRow | None:
        """Return the campaign, or None."""
        return self._rows.get(name)

    async def state(self, name: str) -> CampaignState | None:
        """Return the campaign's state, or None."""
        row = self._rows.get(name)
        return None if row is None else row.state

    async def list(self) -> Sequence[CampaignRow]:
        """Return all in order of creation."""
        return sorted(self._rows.values(), key=lambda row: (row.created_at, row.name))

    async def change(
        self,
        name: str,
        expected: Sequence[CampaignState],
        events: Sequence[Event] = (),
        memo: Mapping[str, object] | None = None,
        **changes: object,
    ) -> CampaignRow:
        """Change fields and append the events; raises NotFoundError, or ConflictError when the state is another."""
        row = self._rows.get(name)
        if row is None:
            raise rules.no_campaign(name)
        if row.state not in expected:
            raise rules.wrong_state(name, row.state, expected)
        fields: dict[str, Any] = {**changes, "revision": row.revision + 1}
        if "document" in fields:
            fields["document"] = rules.plain(fields["document"])
        changed = replace(row, **fields)
        self._one_running(changed)
        self._rows[name] = changed
        self._tasks.note(name, memo or {})
        self._events.extend(events)
        return changed

    async def start(
        self, name: str, tasks: Sequence[NodeTask], events: Sequence[Event], memo: Mapping[str, object], **changes: object
    ) -> CampaignRow:
        """Change a planned one, with these node tasks and no others; raises as `change`, and ConflictError without its plan."""
        row, plan = self._rows.get(name), self._plans.get(str(changes["plan"]))
        if row is not None and row.state is CampaignState.PLANNED and (plan is None or plan.campaign != name):
            raise rules.edited_meanwhile(name)
        changed = await self.change(name, (CampaignState.PLANNED,), events, None, **changes)
        self._tasks.begin(name, tasks, memo)
        return changed

    def _one_running(self, row: CampaignRow) -> None:
        if row.cloud is None or row.state not in rules.OCCUPYING:
            return
        for other in self._rows.values():
            if other.cloud == row.cloud and other.state in rules.OCCUPYING and other.name != row.name:
                raise rules.cloud_taken(row.cloud, other.name)

    async def withdraw(
        self, name: str, expected: Sequence[CampaignState], events: Sequence[Event], instead: CampaignRow | None = None
    ) -> None:
        """Remove it with all that is kept of it, or put another in its place; raises as `change`."""
        row = self._rows.get(name)
        if row is None:
            raise rules.no_campaign(name)
        if row.state not in expected:
            raise rules.wrong_state(name, row.state, expected)
        self._plans = {key: plan for key, plan in self._plans.items() if plan.campaign != name}
        del self._rows[name]
        if instead is None:
            self._tasks.forget(name)
        else:
            self._rows[name] = replace(instead, document=rules.plain(instead.document))
        self._events.extend(events)

    async def add_plan(self, row: PlanRow) -> None:
        """Store; raises NotFoundError without its campaign, ConflictError when the id has another digest."""
        found = self._plans.get(row.id)
        if found is None and row.campaign not in self._rows:
            raise rules.no_campaign(row.campaign)
        if found is None:
            self._plans[row.id] = row
        elif found.digest != row.digest:
            raise rules.plan_exists(row.id)

    async def get_plan(self, plan_id: str) -> PlanRow | None:
        """Return the plan, or None."""
        return self._plans.get(plan_id)

    async def list_plans(self, campaign: str) -> Sequence[PlanRow]:
        """Return the campaign's plans, oldest first, without their texts."""
        found = [replace(row, document="", inventory="") for row in self._plans.values() if row.campaign == campaign]
        return sorted(found, key=lambda row: (row.created_at, row.id))
