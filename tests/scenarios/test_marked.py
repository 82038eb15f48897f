"""A node that is disabled in a campaign's name and is on no sheet, as where an older database was put back: it is found."""

from __future__ import annotations

import asyncio

from escalator.cloud_manager.port import ServiceState
from escalator.model.progress import CampaignState, Restoration, TaskState
from escalator.upgrade_manager.engine import owed
from escalator.upgrade_manager.engine.marked import note_marked
from escalator.upgrade_manager.engine.restore import BY_HAND
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.sheet import from_top_to_bottom
from scenarios.stage import Stage, staged

BEGUN = "world nodes=4 seed=1\ncampaign agent\nplan agent\n"
MINE = "Escalator campaign agent: upgrade"


async def _open(stage: Stage) -> list[Restoration]:
    return [row for row in await stage.sim.store.restorations.open() if row.kind == "cordon"]


async def _stop(stage: Stage, instance: str) -> None:
    await stage.sim.ctx.cloud.stop(instance)
    await stage.clock.sleep(120.0)


def test_it_is_put_on_the_sheet_once_with_the_command_that_puts_it_back() -> None:
    async def play() -> None:
        async with staged() as stage:
            await stage.play(BEGUN)
            await stage.sim.ctx.cloud.cordon("cn-0002", MINE)
            await stage.sim.ctx.cloud.cordon("cn-0003", "disk is being replaced")
            assert await note_marked(stage.sim.ctx) == ["cn-0002"]
            assert await note_marked(stage.sim.ctx) == []
            (row,) = await _open(stage)
            assert (row.campaign, row.node) == ("agent", "cn-0002")
            assert row.commands[0].startswith(
                "# WARNING: it was found disabled in the name of campaign agent and was on no sheet"
            )
            assert [command.startswith("# only then: ") and "cn-0002" in command for command in row.commands[1:]] == [True]
            events = await stage.sim.store.events.read(0, campaign="agent", limit=1000)
            assert [event.node for event in events if event.action == "restoration.found"] == ["cn-0002"]

    virtual_time.run(play())


def test_one_of_a_campaign_that_the_database_does_not_have_is_found_and_taken_off_once_a_person_has_enabled_it() -> None:
    """The database was lost, or another Escalator works on the node: nobody is to run the command before that is known."""

    async def play() -> tuple[list[Restoration], list[str], list[Restoration]]:
        async with staged() as stage:
            await stage.play("world nodes=4 seed=1")
            ctx = stage.sim.ctx
            await ctx.cloud.cordon("cn-0001", "Escalator campaign lost: rollback")
            assert await note_marked(ctx, "agent") == []
            assert await note_marked(ctx) == ["cn-0001"]
            rows = await _open(stage)
            await owed.look(ctx)
            assert await _open(stage) == rows
            await ctx.cloud.restore_service("cn-0001", ServiceState(node="cn-0001", enabled=True, up=True))
            await owed.look(ctx)
            events = await ctx.store.events.read(0, limit=1000)
            said = [event.action for event in events if event.campaign == "lost"]
            return rows, said, await _open(stage)

    (row,), said, left = virtual_time.run(play())
    assert (row.campaign, row.node) == ("lost", "cn-0001")
    assert row.commands[0].startswith("# WARNING: it is disabled in the name of campaign lost, which this database does not have")
    assert all(command.startswith("# only then: ") for command in row.commands[1:])
    assert (said, left) == (["restoration.found", "restoration.by-hand"], [])


def test_a_restore_outside_of_campaigns_takes_its_node_off_the_sheet_itself() -> None:
    async def play() -> list[str]:
        async with staged() as stage:
            await stage.play("world nodes=4 seed=1")
            held = {"node": "cn-0001", "kind": "cordon", "object_id": "cn-0001"}
            found = (await stage.sim.ctx.cloud.service("cn-0001")).to_json()
            await stage.sim.store.restorations.add(
                Restoration(id="r", campaign=BY_HAND, found=found, commands=(), created_at=0.0, **held)
            )
            await owed.look(stage.sim.ctx)  # between its row and the cordon itself
            return [row.node for row in await _open(stage)]

    assert virtual_time.run(play()) == ["cn-0001"]


def test_a_server_looks_for_them_as_it_starts() -> None:
    async def play() -> list[str]:
        async with staged() as stage:
            await stage.play(BEGUN)
            await stage.sim.ctx.cloud.cordon("cn-0002", MINE)
            watching = asyncio.get_running_loop().create_task(owed.watch(stage.sim.ctx))
            await stage.clock.sleep(1.0)
            watching.cancel()
            return [row.node for row in await _open(stage)]

    assert virtual_time.run(play()) == ["cn-0002"]


def test_what_a_campaign_has_out_of_service_itself_is_known() -> None:
    async def play() -> list[str]:
        async with staged() as stage:
            await stage.play(BEGUN + "start agent\nuntil agent node.cordon cn-0004")
            assert not (await stage.sim.ctx.cloud.service("cn-0004")).enabled
            return await note_marked(stage.sim.ctx)

    assert virtual_time.run(play()) == []


def test_a_campaign_that_ends_names_it() -> None:
    async def play() -> tuple[CampaignState, str, str]:
        async with staged() as stage:
            await stage.play("world nodes=12 seed=1\ncampaign agent waves.max_unavailable=2\nplan agent\nstart agent")
            await stage.play("until agent node.announce")
            done = next(task.node for task in await stage.sim.store.tasks.list("agent") if task.state is TaskState.DONE)
            await stage.sim.ctx.cloud.cordon(done, MINE)
            await stage.play("run agent")
            row = await stage.sim.store.campaigns.get("agent")
            assert row is not None
            return row.state, row.reason, done

    state, reason, node = virtual_time.run(play())
    assert state is CampaignState.COMPLETED
    assert f"not put back: cordon of {node}" in reason


def test_what_is_stopped_on_it_is_on_the_sheet_and_started_again_in_its_turn() -> None:
    async def play() -> tuple[list[tuple[str, str]], list[str], list[str], list[str]]:
        async with staged() as stage:
            # The second of the two runs no more when the plan is made: whoever stopped it does not want it to run.
            await stage.play("world nodes=6 seed=1\ncampaign agent waves.max_unavailable=2")
            there = [i.id for i in stage.sim.world.inventory().instances if i.node == "cn-0002" and i.running]
            await _stop(stage, there[1])
            await stage.play("plan agent\nstart agent\nuntil agent node.cordon")
            await stage.sim.ctx.cloud.cordon("cn-0002", MINE)
            await _stop(stage, there[0])
            await note_marked(stage.sim.ctx)
            rows = await stage.sim.store.restorations.open("agent", "cn-0002")
            sheet = [(row.kind, row.object_id) for row in from_top_to_bottom(rows)]
            await stage.play("run agent")
            state = {i.id: i.state for i in stage.sim.world.inventory().instances}
            left = [row.id for row in await stage.sim.store.restorations.open()]
            return sheet, there[:2], [state[i] for i in there[:2]], left

    sheet, there, states, left = virtual_time.run(play())
    assert sheet == [("instance-stopped", there[0]), ("cordon", "cn-0002")]
    assert (states, left) == (["active", "stopped"], [])
