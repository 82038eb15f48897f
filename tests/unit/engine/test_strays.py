"""The rest is planned anew when instances went elsewhere than planned, and not for each of them."""

from __future__ import annotations

from escalator.model.progress import NodeTask, TaskState
from escalator.simulation.setup import simulate
from escalator.upgrade_manager.engine.board import STRAYED, Board, Limits
from escalator.upgrade_manager.engine.replan import STRAYS_S, note_strays
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
