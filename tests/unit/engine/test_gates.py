"""Gates that a campaign names are in the settings, or it is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.service import CampaignService
from escalator.vim_interface.gates.manual import ManualGate
from escalator.world.world import World


def test_a_gate_that_there_is_not_is_refused_with_the_nearest_name() -> None:
    async def play() -> InputError:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1)
        async with simulate(world, clock) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            service = CampaignService(replace(sim.ctx, gates={"change-window": ManualGate()}))
            spec = {
                "release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"},
                "gates": {"before": ["change-windows"], "between": ["change-window", "zzz"]},
            }  # fmt: skip
            document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
            with pytest.raises(InputError) as caught:
                await service.create(json.dumps(document))
            assert await sim.store.campaigns.list() == []
            return caught.value

    error = virtual_time.run(play())
    assert error.code is Code.CFG_GATE
    assert [(p.path, p.message) for p in error.problems] == [
        ("spec.gates.before", "the server's settings have no gate change-windows; did you mean change-window?"),
        ("spec.gates.between", "the server's settings have no gate zzz"),
    ]
