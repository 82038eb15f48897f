"""The manager dies while an installer runs, and people decide something meanwhile: what has begun is followed to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from durability.crashes import Stand
from durability.test_node_course import document, nothing
from escalator.model.progress import CampaignState, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time

NIGHTS = [{"days": ["thu", "fri", "sat"], "start": "00:00", "length_s": 14400}]
HOUR_S = 3600.0
Steer = Callable[[Simulation, str], Awaitable[Any]]


async def _restarted(spec: dict[str, Any], meanwhile: Steer, afterwards: Steer, rollback_to: tuple[str, ...]) -> list[Any]:
    """How the campaign and the node under the installer end, what ran on that node, and what is broken."""
    stand = await Stand.make(document(**spec), nothing)
    if rollback_to:
        await stand.store.releases.remove(RELEASE.id)
        limited = RELEASE.model_copy(update={"spec": RELEASE.spec.model_copy(update={"rollback_to": rollback_to})})
        await import_release(stand.store, limited, stand.clock.now())
    before = stand.world.inventory()
    more = {"store": stand.store, "journal": stand.journal}
    async with simulate(stand.world, stand.clock, strict=True, **more) as sim:
        node = await _working(stand)
        await meanwhile(sim, node)
    async with simulate(stand.world, stand.clock, strict=True, **more) as sim:
        await afterwards(sim, node)
        await stand.clock.sleep(3 * HOUR_S)
    row, task = await stand.store.campaigns.get("c"), await stand.store.tasks.get("c", node)
    assert row is not None
    assert task is not None
    ran = [f"{o.kind} {o.state}" for o in stand.world.state.operations.rows.values() if o.node == node]
    return [row.state, task.state, ran, await stand.broken(before)]


async def _working(stand: Stand) -> str:
    """The node on which an operation runs, some seconds after that began."""
    while not (run := [row for row in stand.world.state.operations.rows.values() if row.state == "running"]):
        await stand.clock.sleep(1.0)
    await stand.clock.sleep(5.0)
    return run[0].node


async def _abort(sim: Simulation, _: str) -> None:
    await sim.campaigns.abort("c")


async def _pause(sim: Simulation, _: str) -> None:
    await sim.campaigns.pause("c")


async def _resume_next_day(sim: Simulation, _: str) -> None:
    await sim.ctx.clock.sleep(6 * HOUR_S)
    await sim.campaigns.resume("c")


async def _nothing(_sim: Simulation, _node: str) -> None: ...


@pytest.mark.parametrize("rollback_to", [(), ("9.0.0",)], ids=["with a way back", "without a way back"])
def test_a_node_whose_installer_runs_when_the_campaign_is_aborted_is_finished(rollback_to: tuple[str, ...]) -> None:
    ended = virtual_time.run(_restarted({}, _abort, _nothing, rollback_to))
    assert ended == [CampaignState.ABORTED, TaskState.DONE, ["upgrade done"], []]


def test_a_node_whose_installer_ended_in_a_pause_is_not_given_back_as_untouched() -> None:
    state, task, ran, _ = virtual_time.run(_restarted({"windows": NIGHTS}, _pause, _resume_next_day, ()))
    assert (state, task, ran) == (CampaignState.RUNNING, TaskState.DONE, ["upgrade done"])


async def _paused_on_the_way_back() -> str:
    stand = await Stand.make(document(), nothing)
    more = {"store": stand.store, "journal": stand.journal}
    async with simulate(stand.world, stand.clock, strict=True, **more) as sim:
        await sim.engine.result("campaign/c")
        await sim.campaigns.back.rollback("c")
        node = await _working(stand)
        await sim.campaigns.pause("c")
    async with simulate(stand.world, stand.clock, strict=True, **more):
        await stand.clock.sleep(HOUR_S)
    task = await stand.store.tasks.get("c", node)
    assert task is not None
    return task.message


def test_a_node_whose_software_is_put_back_in_a_pause_is_held_after_that() -> None:
    held, *standing = virtual_time.run(_paused_on_the_way_back()).split("; ")
    assert held == "held before reboot-back"
    assert standing[0] == "out of service"


async def _moves_over_a_restart(away_s: float) -> list[tuple[str, ...]]:
    """What the history says of each instance that was on its way when the server went, and of no other."""
    stand = await Stand.make(document(), nothing)
    more = {"store": stand.store, "journal": stand.journal}
    async with simulate(stand.world, stand.clock, strict=True, **more):
        while not stand.world.state.moves.rows:
            await stand.clock.sleep(0.5)
        moving = {move.instance for move in stand.world.state.moves.rows.values()}
    await stand.clock.sleep(away_s)
    async with simulate(stand.world, stand.clock, strict=True, **more) as sim:
        await sim.engine.result("campaign/c")
    lines = await stand.store.events.read(action="instance.move")
    return [tuple(line.outcome for line in lines if line.object_id == instance) for instance in sorted(moving)]


@pytest.mark.parametrize("away_s", [0.0, 600.0], ids=["back while they move", "back when they have moved"])
def test_the_history_has_the_end_of_each_move_whoever_saw_it(away_s: float) -> None:
    told = virtual_time.run(_moves_over_a_restart(away_s))
    assert told
    assert {outcomes[-1] for outcomes in told} == {"done"}
    assert {outcomes.count("done") for outcomes in told} == {1}
