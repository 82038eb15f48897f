"""What people do to a node at the moment in which its campaign does something with it: one of both wins, and both know it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from escalator.cloud_manager.port import CloudManager
from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState, NodeTask, Restoration, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.storage.changes import Restorations
from escalator.storage.port import CampaignRow, Campaigns, NodeSlot
from escalator.storage.turns import Tasks
from escalator.upgrade_manager.engine import owed
from escalator.upgrade_manager.engine.by_hand import take_off, take_off_ended
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.doorway import Doorway
from escalator.upgrade_manager.engine.drive import _board
from escalator.upgrade_manager.engine.endings import complete
from escalator.upgrade_manager.engine.failures import accepted_failures
from escalator.upgrade_manager.engine.job import TaskRef, job_of
from escalator.upgrade_manager.engine.outcome import Status
from escalator.upgrade_manager.engine.replan import keep, replanned, take_up
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.steps.cordon import CORDON
from escalator.upgrade_manager.service import CampaignService
from escalator.world.world import World

NODE = "cn-0002"
Then = Callable[[], Awaitable[object]]
Look = Callable[[Context], Awaitable[None]]


@asynccontextmanager
async def _begun() -> AsyncIterator[Simulation]:
    """A campaign that runs, nobody driving it; every node waits."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=4, seed=1)
    async with simulate(world, clock) as sim:
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        await import_release(sim.store, RELEASE, clock.now())
        await sim.campaigns.create(json.dumps(document))
        plan = await sim.campaigns.plan("c")
        for node, upgrade in plan.upgrade_of.items():
            await sim.store.tasks.put(NodeTask(campaign="c", node=node, wave=upgrade.wave))
        started = {"state": CampaignState.RUNNING, "started_at": clock.now()}
        await sim.store.campaigns.change("c", (CampaignState.PLANNED,), (), **started)
        yield sim


async def _task(sim: Simulation) -> NodeTask:
    task = await sim.store.tasks.get("c", NODE)
    assert task is not None
    return task


@dataclass
class _Meanwhile:
    """Lets something happen once, right after the sheet, the tasks, or a campaign have been read."""

    rows: Restorations | Tasks | Campaigns
    then: list[Then]

    async def open(self, campaign: str | None = None, node: str | None = None) -> Sequence[Restoration]:
        found = await self.rows.open(campaign, node)  # type: ignore[union-attr]
        await self._happen()
        return found  # type: ignore[no-any-return]

    async def list(self, campaign: str, *, ladders: bool = True) -> Sequence[NodeTask]:
        found = await self.rows.list(campaign, ladders=ladders)  # type: ignore[union-attr,call-arg]
        await self._happen()
        return found  # type: ignore[return-value]

    async def get(self, name: str) -> CampaignRow | None:
        found = await self.rows.get(name)  # type: ignore[union-attr,call-arg]
        await self._happen()
        return found  # type: ignore[return-value]

    async def _happen(self) -> None:
        if self.then:
            await self.then.pop()()

    def __getattr__(self, name: str) -> object:
        return getattr(self.rows, name)


def test_a_node_whose_turn_begins_while_it_is_skipped_is_not_skipped_and_keeps_its_slot() -> None:
    async def play() -> tuple[TaskState, list[str]]:
        async with _begun() as sim:
            task = await _task(sim)

            async def begin() -> None:
                slot = NodeSlot(campaign="c", node=NODE, task=task.id, since=1.0)
                assert await sim.store.admission.enter_node(slot, lambda _: None) is None
                await sim.store.tasks.put(replace(task, state=TaskState.RUNNING))

            store = replace(sim.store, restorations=_Meanwhile(sim.store.restorations, [begin]))  # type: ignore[arg-type]
            with pytest.raises(ConflictError) as caught:
                await CampaignService(replace(sim.ctx, store=store)).skip("c", NODE)
            assert caught.value.code is Code.UPG_STATE
            assert await accepted_failures(sim.ctx, "c") == set()
            return (await _task(sim)).state, [slot.node for slot in await sim.store.admission.node_slots()]

    assert virtual_time.run(play()) == (TaskState.RUNNING, [NODE])


async def _cordon(sim: Simulation, task: NodeTask) -> Restoration:
    found = (await sim.ctx.cloud.service(NODE)).to_json()
    return Restoration(
        id=f"{task.id}/cordon/{NODE}",
        campaign="c",
        kind="cordon",
        object_id=NODE,
        node=NODE,
        found=found,
        commands=(),
        created_at=1.0,
    )


async def _nothing() -> None:
    """Happen later."""


def test_a_node_that_is_taken_out_of_service_again_while_it_is_taken_off_stays_on_the_sheet() -> None:
    async def play() -> list[str]:
        async with _begun() as sim:
            task = replace(await _task(sim), state=TaskState.FAILED)
            await sim.store.tasks.put(task)
            row = await _cordon(sim, task)
            await sim.store.restorations.add(row)

            async def again() -> None:
                # Its next turn finds the row, and so adds none.
                await sim.ctx.cloud.cordon(NODE, "Escalator campaign c: upgrade")

            meanwhile = _Meanwhile(sim.store.campaigns, [again])
            ctx = replace(sim.ctx, store=replace(sim.store, campaigns=meanwhile))  # type: ignore[arg-type]
            left = await take_off(ctx, "c", NODE)
            assert [*left] == [*await sim.store.restorations.open()]
            return [one.id for one in left]

    assert virtual_time.run(play()) == [f"c/{NODE}/1/cordon/{NODE}"]


@dataclass
class _Before:
    """A cloud in which something happens right before a node is cordoned."""

    cloud: CloudManager
    then: Then

    async def cordon(self, node: str, reason: str) -> None:
        await self.then()
        await self.cloud.cordon(node, reason)

    def __getattr__(self, name: str) -> object:
        return getattr(self.cloud, name)


def test_a_node_that_is_taken_off_while_its_next_turn_takes_it_out_of_service_is_on_the_sheet_again() -> None:
    async def play() -> list[str]:
        async with _begun() as sim:
            row = await _cordon(sim, await _task(sim))
            await sim.store.restorations.add(row)
            cloud = _Before(sim.ctx.cloud, lambda: sim.store.restorations.done(row.id, 2.0))
            plan = (await sim.campaigns.show("c")).row.plan
            job = await job_of(replace(sim.ctx, cloud=cloud), TaskRef("c", NODE, 2, 1, str(plan)))  # type: ignore[arg-type]
            assert (await CORDON.do(job)).status is Status.DONE
            return [one.id for one in await sim.store.restorations.open()]

    assert virtual_time.run(play()) == [f"c/{NODE}/2/cordon/{NODE}"]


@pytest.mark.parametrize("look", [take_off_ended, owed.look])
def test_a_node_that_begins_another_turn_while_the_last_one_is_looked_at_keeps_its_slot(look: Look) -> None:
    async def play() -> list[str]:
        async with _begun() as sim:
            task = replace(await _task(sim), state=TaskState.FAILED)
            await sim.store.admission.enter_node(NodeSlot(campaign="c", node=NODE, task=task.id, since=1.0), lambda _: None)
            await sim.store.tasks.put(task)
            await sim.store.restorations.add(await _cordon(sim, task))
            if look is owed.look:
                await sim.store.campaigns.change("c", (CampaignState.RUNNING,), (), state=CampaignState.COMPLETED)

            async def again() -> None:
                following = replace(task, attempt=2, state=TaskState.PENDING)
                await sim.store.tasks.put(following)
                slot = NodeSlot(campaign="c", node=NODE, task=following.id, since=2.0)
                assert await sim.store.admission.enter_node(slot, lambda _: None) is None

            meanwhile = _Meanwhile(sim.store.restorations, [again, _nothing])
            await look(replace(sim.ctx, store=replace(sim.store, restorations=meanwhile)))  # type: ignore[arg-type]
            return [slot.task for slot in await sim.store.admission.node_slots()]

    assert virtual_time.run(play()) == [f"c/{NODE}/2"]


def test_a_node_that_was_skipped_since_its_campaign_looked_does_not_begin() -> None:
    async def play() -> tuple[bool, str | None, int]:
        async with _begun() as sim:
            campaign = await sim.ctx.book.campaign("c")
            board = await _board(sim.ctx, "c", campaign)
            doorway = Doorway(sim.ctx, "c", campaign, board)
            assert await doorway.look()
            await sim.campaigns.skip("c", NODE)
            admitted = await doorway.admits(board.tasks[NODE])
            return admitted, doorway.refusal, len(await sim.store.admission.node_slots())

    # Nobody is called about it: that is no want of room.
    assert virtual_time.run(play()) == (False, None, 0)


def test_a_node_that_is_skipped_while_another_plan_is_taken_up_stays_skipped() -> None:
    async def play() -> TaskState:
        async with _begun() as sim:
            await sim.store.tasks.put(replace(await _task(sim), wave=9))  # the plan has another place for it
            await sim.campaigns.skip("c", "cn-0001")
            made = await replanned(sim.ctx, "c")
            assert made is not None
            await keep(sim.ctx, "c", made, "after something")
            meanwhile = _Meanwhile(sim.store.tasks, [lambda: sim.campaigns.skip("c", NODE)])
            await take_up(replace(sim.ctx, store=replace(sim.store, tasks=meanwhile)), "c")  # type: ignore[arg-type]
            return (await _task(sim)).state

    assert virtual_time.run(play()) is TaskState.SKIPPED


def test_of_two_people_who_decide_about_one_node_the_second_is_refused() -> None:
    async def play() -> tuple[TaskState, int]:
        async with _begun() as sim:
            failed = replace(await _task(sim), state=TaskState.FAILED, code=Code.SYS_INSTALL.value)
            await sim.store.tasks.put(failed)
            retry = _Meanwhile(sim.store.restorations, [lambda: sim.campaigns.retry("c", NODE)])
            store = replace(sim.store, restorations=retry)  # type: ignore[arg-type]
            with pytest.raises(ConflictError):
                await CampaignService(replace(sim.ctx, store=store)).skip("c", NODE)
            after = await _task(sim)
            return after.state, after.attempt

    assert virtual_time.run(play()) == (TaskState.PENDING, 2)


def test_a_campaign_does_not_end_over_a_node_that_is_tried_again_meanwhile() -> None:
    async def play() -> CampaignState | None:
        async with _begun() as sim:
            for task in await sim.store.tasks.list("c"):
                state = TaskState.SKIPPED if task.node == NODE else TaskState.DONE
                await sim.store.tasks.put(replace(task, state=state))
            campaign = await sim.ctx.book.campaign("c")
            board = await _board(sim.ctx, "c", campaign)
            assert board.ended
            meanwhile = _Meanwhile(sim.store.restorations, [lambda: sim.campaigns.retry("c", NODE)])
            await complete(replace(sim.ctx, store=replace(sim.store, restorations=meanwhile)), campaign, board)  # type: ignore[arg-type]
            return await sim.store.campaigns.state("c")

    assert virtual_time.run(play()) is CampaignState.RUNNING
