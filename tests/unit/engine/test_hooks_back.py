"""What a hook is told when a node that it prepared goes back: which way, and that this is another run than one before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from escalator.model.errors import EscalatorError
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.system_support.port import Call, Ran, SystemSupport
from escalator.upgrade_manager.engine.job import TaskRef, job_of
from escalator.upgrade_manager.engine.outcome import Status
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.steps.hooks import POST_MAINTENANCE, PRE_MAINTENANCE, prepared
from escalator.world.world import World

HOOKS = {"pre_maintenance": ["quiesce"], "post_maintenance": ["wake"]}


class Listening:
    """Commands that end well and remember how they were called."""

    names: Sequence[str] = ()

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def knows(self, name: str) -> bool:
        return bool(name)

    def on_node(self, name: str) -> bool:
        return not name

    def lack(self, name: str) -> EscalatorError | None:
        return None

    async def run(self, call: Call, system: SystemSupport | None = None) -> Ran:
        assert system is not None
        self.calls.append(call)
        return Ran(0, ("ok",))


async def _played(*, twice: bool) -> tuple[list[Call], bool]:
    """The calls of a turn that is put back after all of its hooks have run, and whether it counted as prepared."""
    clock, commands = VirtualClock(), Listening()
    world = World.in_memory(clock)
    world.seed(nodes=3, seed=1)
    spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated", "hooks": HOOKS}}
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        await sim.campaigns.create(json.dumps(document))
        plan = await sim.campaigns.plan("c")
        ref = TaskRef("c", "cn-0001", 1, 1, plan.id)
        job = await job_of(replace(sim.ctx, commands=commands), ref)
        before = await prepared(sim.ctx, ref)
        undo = PRE_MAINTENANCE.undo
        assert undo is not None
        for work in (PRE_MAINTENANCE.do, POST_MAINTENANCE.do, undo, *([undo] if twice else [])):
            assert (await work(job)).status is Status.DONE
        return commands.calls, not before and await prepared(sim.ctx, ref)


def test_a_hook_is_told_that_its_node_goes_back() -> None:
    calls, _ = virtual_time.run(_played(twice=False))
    said = [(call.command, call.environment["ESCALATOR_WAY"], call.environment["ESCALATOR_PURPOSE"]) for call in calls]
    assert said == [
        ("quiesce", "there", "pre_maintenance"),
        ("wake", "there", "post_maintenance"),
        ("wake", "back", "post_maintenance"),
    ]
    assert len({call.operation for call in calls}) == 3


def test_a_hook_that_has_ended_well_on_the_way_back_is_not_run_again_after_a_crash() -> None:
    calls, was_prepared = virtual_time.run(_played(twice=True))
    assert len(calls) == 3
    assert was_prepared
