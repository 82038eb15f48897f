"""The rest is planned anew when instances went elsewhere than planned, and not for each of them."""

from __future__ import annotations

import json

from escalator.model.progress import NodeTask, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager.engine.board import STRAYED, Board, Limits
from escalator.upgrade_manager.engine.drive import _board
from escalator.upgrade_manager.engine.replan import STRAYS_S, note_strays, repair
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World

WHY = "instances went elsewhere than planned"


def _looked(*, stray: bool, after_s: float, nodes: int = 1, state: TaskState = TaskState.PENDING) -> list[str]:
    """What is found so long after the board was made, and as long after that again."""

    async def play() -> list[str]:
        clock = VirtualClock()
        async with simulate(World.in_memory(clock), clock) as sim:
            names = [f"n{number}" for number in range(nodes)]
            board = Board("p", dict.fromkeys(names, frozenset[str]()), Limits(most=1, scope=frozenset(names)))
            for name in names:
                board.put(NodeTask(campaign="c", node=name, state=state))
            board.stray_at = clock.now()
            if stray:
                await sim.store.tasks.remember("c", STRAYED, clock.now())
            found = []
            for _ in range(2):
                await clock.sleep(after_s)
                await note_strays(sim.ctx, "c", board)
                found.append(board.disturbed)
                board.disturbed = ""
            return found

    return virtual_time.run(play())


def test_it_is_planned_anew_once_when_an_instance_went_elsewhere() -> None:
    assert _looked(stray=True, after_s=STRAYS_S) == [WHY, ""]


def test_nothing_is_planned_when_all_went_as_planned_or_nobody_waits() -> None:
    assert _looked(stray=False, after_s=STRAYS_S) == ["", ""]
    assert _looked(stray=True, after_s=STRAYS_S, state=TaskState.RUNNING) == ["", ""]


def test_many_go_elsewhere_in_a_large_cloud_and_share_a_plan() -> None:
    assert _looked(stray=True, after_s=STRAYS_S / 2) == ["", WHY]
    assert _looked(stray=True, after_s=STRAYS_S, nodes=1500) == ["", WHY]


async def _found_by_a_new_drive(sim: Simulation) -> str:
    board = await _board(sim.ctx, "c", await sim.ctx.book.campaign("c"))
    board.put(NodeTask(campaign="c", node="cn-0001"))
    await note_strays(sim.ctx, "c", board)
    return board.disturbed


def test_what_went_elsewhere_before_a_restart_is_seen_after_it_until_the_rest_was_planned_anew() -> None:
    async def play() -> list[str]:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1)
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        async with simulate(world, clock) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            await sim.campaigns.create(json.dumps(document))
            await sim.campaigns.plan("c")
            found = [await _found_by_a_new_drive(sim)]
            await sim.store.tasks.remember("c", STRAYED, clock.now())
            await clock.sleep(STRAYS_S)
            found += [await _found_by_a_new_drive(sim), await _found_by_a_new_drive(sim)]
            await repair(sim.ctx, "c", WHY)
            await clock.sleep(STRAYS_S)
            return [*found, await _found_by_a_new_drive(sim)]

    assert virtual_time.run(play()) == ["", WHY, WHY, ""]
