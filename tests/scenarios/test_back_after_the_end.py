"""A node that comes back only when its campaign is over: VNF managers that were asked about it hear that it is back."""

from __future__ import annotations

from escalator.upgrade_manager.engine import owed
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

NODE = "cn-0003"
HELD = f"""
world nodes=4 seed=1
fault kind=upgrade node={NODE} first=1
campaign agent failure.on_node_failure=rollback-hold
plan agent
start agent
run agent
skip agent {NODE}
run agent
resume agent
run agent
"""
DOWN_S = 200_000
DEAD = f"""
world nodes=4 seed=1
campaign agent waves.max_unavailable=1
plan agent
start agent
until agent node.notify {NODE} done
crash {NODE} {DOWN_S}
run agent
abort agent
run agent
"""


async def _heard(stage: Stage) -> int:
    """How many VNF managers were told that the node is available, since this was asked last."""
    await stage.clock.sleep(1)  # what was put into the outbox goes out
    before = len(stage.lines)
    for name in ("vnfm-core", "vnfm-user-plane", "vnfm-voice"):
        await stage.do_told(name)
    return sum("HostAvailable" in line and NODE in line for line in stage.lines[before:])


async def _look(stage: Stage) -> int:
    await owed.look(stage.sim.ctx)
    return await _heard(stage)


async def _held() -> tuple[list[int], int]:
    async with staged() as stage:
        await stage.play(HELD)
        seen = [await _heard(stage), await _look(stage)]
        await stage.play(f"enable {NODE}")
        seen += [await _look(stage), await _look(stage)]
        return seen, len(await stage.sim.store.restorations.open())


async def _dead() -> list[int]:
    async with staged() as stage:
        await stage.play(DEAD)
        seen = [await _heard(stage), await _look(stage)]
        await stage.play(f"wait {DOWN_S}")
        return [*seen, await _look(stage), await _look(stage)]


def test_one_that_was_held_out_of_service_and_is_enabled_by_hand_later() -> None:
    seen, left = virtual_time.run(_held())
    assert seen == [0, 0, 3, 0]
    assert left == 0


def test_one_that_was_down_until_its_campaign_was_over() -> None:
    assert virtual_time.run(_dead()) == [0, 0, 3, 0]
