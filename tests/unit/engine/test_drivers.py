"""A campaign whose driver the server does not have is refused before there is a plan, and before a start."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.service import CampaignService
from escalator.world.world import World


def document(node: dict[str, Any]) -> str:
    spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": node}
    return json.dumps({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec})


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({}, "the server has no driver packages, which is meant where the key is left out; configured are: simulated"),
        ({"driver": "ansible"}, "the server has no driver ansible; configured are: simulated"),
    ],
)
def test_a_driver_that_the_server_does_not_have_is_refused_with_those_that_it_has(node: dict[str, Any], said: str) -> None:
    async def play() -> InputError:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1)
        async with simulate(world, clock) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            with pytest.raises(InputError) as caught:
                await sim.campaigns.create(document(node))
            assert await sim.store.campaigns.list() == []
            return caught.value

    error = virtual_time.run(play())
    assert error.code is Code.CFG_DRIVER
    assert [(p.path, p.message) for p in error.problems] == [("spec.node.driver", said)]
    assert "spec.node.driver" in error.remedy


@pytest.mark.parametrize(("verb", "left"), [("plan", CampaignState.DRAFT), ("start", CampaignState.PLANNED)])
def test_a_driver_that_was_taken_from_the_settings_later_is_noticed_before_the_window(verb: str, left: CampaignState) -> None:
    async def play() -> CampaignState:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1)
        async with simulate(world, clock) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            await sim.campaigns.create(document({"driver": "simulated"}))
            if verb == "start":
                await sim.campaigns.plan("c")
            asked: Callable[[str], Awaitable[Any]] = getattr(CampaignService(replace(sim.ctx, systems={})), verb)
            with pytest.raises(InputError) as caught:
                await asked("c")
            assert caught.value.code is Code.CFG_DRIVER
            (row,) = await sim.store.campaigns.list()
            return row.state

    assert virtual_time.run(play()) is left
