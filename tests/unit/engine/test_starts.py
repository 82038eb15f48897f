"""A start that is refused leaves nothing behind: no turns, and nothing that a person accepted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager import drafts
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World


def _document(name: str, names: str) -> str:
    scope = {"select": {"names": [names]}}
    spec = {"release": RELEASE.id, "mode": "smooth", "scope": scope, "node": {"driver": "simulated"}}
    return json.dumps({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": name}, "spec": spec})


@asynccontextmanager
async def _simulated() -> AsyncIterator[tuple[Simulation, VirtualClock]]:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=9, seed=1)
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        for name, names in (("a", "cn-000[1234]"), ("b", "cn-000[56789]")):
            await sim.campaigns.create(_document(name, names))
            await sim.campaigns.plan(name)
        yield sim, clock


async def _after_another_campaign() -> None:
    async with _simulated() as (sim, clock):
        await sim.campaigns.start("a")
        with pytest.raises(ConflictError, match="one campaign at a time"):
            await sim.campaigns.start("b", past_no_return="mary")
        assert await sim.store.tasks.list("b") == []
        assert await sim.store.tasks.memo("b") == {}
        await clock.sleep(7200.0)
        await drafts.edit(sim.ctx, "b", _document("b", "cn-000[5678]"))
        await sim.campaigns.plan("b")
        await sim.campaigns.start("b")
        await clock.sleep(7200.0)
        view = await sim.campaigns.show("b")
        assert (view.row.state, view.total, view.done) == (CampaignState.COMPLETED, 4, 4)


def test_a_campaign_that_was_refused_and_edited_has_the_turns_of_its_new_plan_only() -> None:
    virtual_time.run(_after_another_campaign())


async def _twice() -> None:
    async with _simulated() as (sim, clock):
        observed = sim.ctx.cloud.identity
        slow = [0.0, 1800.0]

        async def identity() -> object:
            await clock.sleep(slow.pop())
            return await observed()

        sim.ctx.cloud.identity = identity  # type: ignore[method-assign, assignment]
        late = asyncio.create_task(sim.campaigns.start("a"))
        await clock.sleep(1.0)
        await sim.campaigns.start("a")
        with pytest.raises(ConflictError, match="this needs planned"):
            await late
        states = {task.node: task.state for task in await sim.store.tasks.list("a")}
        assert TaskState.DONE in states.values()
        await clock.sleep(7200.0)
        assert (await sim.campaigns.show("a")).row.state is CampaignState.COMPLETED
        assert await sim.store.admission.node_slots() == []


def test_a_second_start_that_comes_late_changes_no_turn_of_the_first() -> None:
    virtual_time.run(_twice())


async def _edited() -> None:
    async with _simulated() as (sim, clock):
        observed = sim.ctx.cloud.identity

        async def identity() -> object:
            await clock.sleep(600.0)
            return await observed()

        sim.ctx.cloud.identity = identity  # type: ignore[method-assign, assignment]
        late = asyncio.create_task(sim.campaigns.start("a"))
        await clock.sleep(1.0)
        await drafts.edit(sim.ctx, "a", _document("a", "cn-000[5678]"))
        await sim.campaigns.plan("a")
        with pytest.raises(ConflictError, match="edited while it was started"):
            await late
        assert (await sim.campaigns.show("a")).row.state is CampaignState.PLANNED


def test_a_start_by_a_plan_of_the_document_that_was_edited_meanwhile_is_refused() -> None:
    virtual_time.run(_edited())
