"""Hooks around the whole campaign over a crash: what has ended well is not run again, and what nobody knows the end of is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from escalator.model.errors import EscalatorError
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.storage.memory import memory_store
from escalator.system_support.port import Call, Ran, SystemSupport
from escalator.upgrade_manager.engine.named import METADATA
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.memory import Journal
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World

SPEC = {
    "release": RELEASE.id,
    "mode": "smooth",
    "scope": {"select": {}},
    "hooks": {"before": ["note", "note", "open"], "after": ["note", "close"]},
    "node": {"driver": "simulated", "hooks": {"maintenance": ["flash"]}},
}
DOCUMENT = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}
SAID = {"before/1": '{"n":2}', "maintenance/0": '{"to":"flash"}', "after/1": '{"n":5}'}


class Commands:
    """The operator's commands; one of them hangs when it runs for the first time, until the manager is gone."""

    names: Sequence[str] = ()

    def __init__(self, hangs: str) -> None:
        self.calls: list[Call] = []
        self.reached = asyncio.Event()
        self._hangs = hangs

    def knows(self, name: str) -> bool:
        return True

    def on_node(self, name: str) -> bool:
        return False

    def lack(self, name: str) -> EscalatorError | None:
        return None

    async def run(self, call: Call, system: SystemSupport | None = None) -> Ran:
        self.calls.append(call)
        if call.operation.endswith(self._hangs) and not self.reached.is_set():
            self.reached.set()
            await asyncio.Event().wait()
        return Ran(0, ("done",))


async def _over_a_crash(hangs: str) -> list[Call]:
    clock, store, journal = VirtualClock(), memory_store(), Journal()
    world = World.in_memory(clock)
    world.seed(nodes=2, seed=1, fill=0.1)
    commands = Commands(hangs)
    async with simulate(world, clock, store=store, journal=journal, commands=commands) as sim:
        await import_release(store, RELEASE, clock.now())
        await sim.campaigns.create(json.dumps(DOCUMENT))
        await sim.campaigns.plan("c")
        await store.tasks.remember("c", METADATA, SAID)
        await sim.campaigns.start("c")
        await commands.reached.wait()
    async with simulate(world, clock, store=store, journal=journal, commands=commands) as sim:
        while (state := await store.campaigns.state("c")) is not CampaignState.COMPLETED:
            assert state is CampaignState.RUNNING
            await clock.sleep(30.0)
    return commands.calls


OPERATIONS = ["c/before-note", "c/before-note~2", "c/before-open", "c/after-note", "c/after-close"]


@pytest.mark.parametrize("hangs", OPERATIONS)
def test_after_a_crash_in_the_middle_of_one_only_that_one_is_run_again(hangs: str) -> None:
    calls = virtual_time.run(_over_a_crash(hangs))
    around = [call.operation for call in calls if call.purpose != "maintenance"]
    at = OPERATIONS.index(hangs)
    assert around == [*OPERATIONS[: at + 1], *OPERATIONS[at:]]
    said = {call.operation: call.metadata for call in calls if call.purpose != "maintenance"}
    assert said == dict(zip(OPERATIONS, ["", '{"n":2}', "", "", '{"n":5}'], strict=True))
    on_nodes = [call for call in calls if call.purpose == "maintenance"]
    assert [(call.command, call.metadata) for call in on_nodes] == [("flash", '{"to":"flash"}')] * 2
    last_before = max(n for n, call in enumerate(calls) if call.purpose == "before")
    first_after = min(n for n, call in enumerate(calls) if call.purpose == "after")
    assert all(last_before < calls.index(call) < first_after for call in on_nodes)
