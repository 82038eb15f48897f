"""What is left of a campaign: near to what it turns out to be, and without jumps as nodes end and the rest is planned anew."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from escalator.model.progress import TaskState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.pace import Turn, left_s
from escalator.world.world import World

LOOK_S = 120.0
HOUR = 3600.0


async def _told(*, replanned: bool) -> list[tuple[float, float]]:
    """At each look: what was said to be left, and what was. With `replanned` a node is skipped, and the rest planned anew."""
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=8, seed=1)
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "waves": {"max_unavailable": 2}}
        spec |= {"node": {"driver": "simulated"}}
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
        await sim.campaigns.create(json.dumps(document))
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        said: list[tuple[float, float]] = []
        while (view := await sim.campaigns.show("c")).eta_s is not None:
            said.append((clock.now(), view.eta_s))
            if replanned and view.done == 2:
                replanned = False
                waiting = next(task.node for task in view.tasks if task.state is TaskState.PENDING)
                await sim.campaigns.skip("c", waiting)
                await sim.campaigns.replan("c")
            await clock.sleep(LOOK_S)
        return [(left, clock.now() - at) for at, left in said]


@pytest.mark.parametrize("replanned", [False, True])
def test_it_is_near_to_what_it_turns_out_to_be_and_does_not_grow(replanned: bool) -> None:
    told = virtual_time.run(_told(replanned=replanned))
    assert [one for one in told if abs(one[0] - one[1]) > 0.35 * one[1] + 2 * LOOK_S] == []
    assert max(after[0] - before[0] for before, after in pairwise(told)) <= 0


def turns(*ended: float | None) -> list[Turn]:
    """Turns of an hour one after the other, and when they ended."""
    return [Turn(starts_s=n * HOUR, ends_s=(n + 1) * HOUR, ended_at_s=at) for n, at in enumerate(ended)]


def test_before_the_first_end_the_plan_tells_it() -> None:
    assert left_s(turns(None, None, None), [], 0.0, 600.0) == pytest.approx(3 * HOUR - 600.0)


def test_a_turn_that_is_late_is_waited_for_without_counting_what_comes_after_it() -> None:
    late = left_s(turns(None, None, None), [], 0.0, 5 * HOUR)
    assert late == pytest.approx(2.05 * HOUR)


def test_turns_that_take_twice_as_long_make_the_rest_longer_the_surer_the_more_of_them_ended() -> None:
    one = left_s(turns(2 * HOUR, None, None, None), [2 * HOUR], 0.0, 2 * HOUR)
    two = left_s(turns(2 * HOUR, 4 * HOUR, None, None), [2 * HOUR] * 2, 0.0, 4 * HOUR)
    assert one == pytest.approx(3 * HOUR * 2**0.5)
    assert two == pytest.approx(2 * HOUR * 2 ** (2 / 3))


def test_another_plan_keeps_the_pace_that_was_seen() -> None:
    anew = [replace(turn, starts_s=turn.starts_s + 5 * HOUR, ends_s=turn.ends_s + 5 * HOUR) for turn in turns(None, None)]
    assert left_s(anew, [2 * HOUR] * 3, 5 * HOUR, 5 * HOUR) == pytest.approx(2 * HOUR * 2**0.75)


def test_nodes_that_ended_at_once_say_nothing_of_the_pace() -> None:
    assert left_s(turns(0.0, 0.0, None), [], 0.0, 0.0) == pytest.approx(HOUR)


def test_nothing_is_left_when_all_have_ended() -> None:
    assert left_s(turns(HOUR), [HOUR], 0.0, HOUR) is None
