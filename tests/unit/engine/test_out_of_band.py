"""The other way to a node: looked at before the node is touched, and used once when it does not come back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from escalator.clocks import SystemClock
from escalator.model.inventory import Inventory, Node
from escalator.model.progress import Restoration, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.storage.memory import memory_store
from escalator.upgrade_manager.engine.by_hand import take_off_ended
from escalator.upgrade_manager.engine.context import OutOfBand
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.memory import Journal
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.rules import Fault
from escalator.world.world import World

POWER = OutOfBand(check="bmc", power_cycle="cycle", after_s=600.0)
Ended = tuple[Any, list[str], dict[str, list[float]], list[Any]]
"""The node's task, what commands said, when the world saw things, and what is on the sheet."""
DEAD = Fault(kind="reboot", node="cn-0002", effect="fail")


async def _played(sim: Simulation, impact: str = "reboot") -> None:
    spec = RELEASE.spec.model_copy(update={"impact": impact, "version": "3.0.0"})
    await import_release(sim.store, RELEASE.model_copy(update={"spec": spec}), sim.ctx.clock.now())
    wish = {
        "release": "nfvi-agent/3.0.0",
        "mode": "smooth",
        "scope": {"select": {"names": ["cn-0002"]}},
        "node": {"driver": "simulated", "timeouts": {"reboot_s": 3600}},
        "workloads": {"default": {"action": "stop-start"}},
    }
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": wish}
    await sim.campaigns.create(json.dumps(document))
    await sim.campaigns.plan("c")
    await sim.campaigns.start("c")


async def _ended(sim: Simulation) -> Any:
    while (task := await sim.store.tasks.get("c", "cn-0002")) is None or task.state in (TaskState.PENDING, TaskState.RUNNING):
        await sim.ctx.clock.sleep(30.0)
    return task


@dataclass
class _Away:
    """A control node that was power-cycled in its turn and did not come back in time."""

    world: World
    sim: Simulation

    async def left(self) -> list[str]:
        """What is left on the sheet after a look."""
        await take_off_ended(self.sim.ctx)
        return [row.kind for row in await self.sim.store.restorations.open()]


async def _control_node_away(sim: Simulation, world: World) -> _Away:
    spec = RELEASE.spec.model_copy(update={"version": "3.0.0"})
    await import_release(sim.store, RELEASE.model_copy(update={"spec": spec}), sim.ctx.clock.now())
    wish = {
        "release": "nfvi-agent/3.0.0",
        "mode": "smooth",
        "scope": {"select": {"role": "control"}},
        "node": {"driver": "simulated", "timeouts": {"reboot_s": 3600}},
    }
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": wish}
    await sim.campaigns.create(json.dumps(document))
    await sim.campaigns.plan("c")
    await sim.campaigns.start("c")
    while (task := await sim.store.tasks.get("c", "control-02")) is None or task.state is not TaskState.FAILED:
        await sim.ctx.clock.sleep(30.0)
    return _Away(world, sim)


def _world(*faults: Fault) -> tuple[VirtualClock, World]:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=3, seed=1, fill=0.1)
    world.faults.add(*faults)
    return clock, world


def _run(*faults: Fault, power: OutOfBand = POWER, impact: str = "reboot") -> Ended:
    async def play() -> Ended:
        clock, world = _world(*faults)
        async with simulate(world, clock, out_of_band=power) as sim:
            await _played(sim, impact)
            task = await _ended(sim)
            events = [e for e in await sim.store.events.read(limit=10_000) if e.action == "node.command"]
            said = [f"{e.object_id} {e.data['purpose']} {e.outcome}" for e in events]
            seen = {what: [e.at for e in world.audit.history(what)] for what in ("cordon", "node-down", "power-cycle")}
            return task, said, seen, list(await sim.store.restorations.open())

    return virtual_time.run(play())


def test_a_node_that_cannot_be_reached_out_of_band_is_left_out_untouched() -> None:
    task, said, seen, sheet = _run(Fault(kind="command", command="bmc"))
    assert (task.state, task.code, said, sheet) == (TaskState.SKIPPED, "ESC-SYS-044", ["bmc out-of-band failed"], [])
    assert seen["cordon"] == []


def test_what_cannot_reboot_is_not_looked_at() -> None:
    task, said, _, _ = _run(Fault(kind="command", command="bmc"), impact="control")
    assert (task.state, said) == (TaskState.DONE, [])


def test_a_node_that_does_not_come_back_is_power_cycled_and_goes_on() -> None:
    task, said, seen, sheet = _run(DEAD)
    assert (task.state, said) == (TaskState.DONE, ["bmc out-of-band done", "cycle power-cycle done"])
    (cycled,), (down,) = seen["power-cycle"], seen["node-down"]
    assert 600.0 <= cycled - down <= 700.0
    assert sheet == []


def test_it_is_power_cycled_once_and_stays_on_the_sheet() -> None:
    task, said, seen, sheet = _run(DEAD, Fault(kind="command", command="cycle"))
    assert task.state is TaskState.FAILED
    assert said == ["bmc out-of-band done", "cycle power-cycle failed"]
    assert seen["power-cycle"] == []
    assert [row.kind for row in sheet] == ["cordon", "power-cycle"]
    assert sheet[1].commands[0].startswith("# ")  # nothing to copy: a second power cycle is nobody's wish


@pytest.mark.parametrize(("power", "gone_s"), [(OutOfBand(), 3600.0), (POWER, 600.0 + 3600.0)])
def test_a_lost_node_is_given_one_time_to_come_back_and_from_its_power_cycle_once_more(power: OutOfBand, gone_s: float) -> None:
    task, _, seen, _ = _run(DEAD, Fault(kind="command", command="cycle"), power=power)
    assert (task.state, task.code) == (TaskState.FAILED, "ESC-UPG-049")
    assert gone_s <= task.updated_at - seen["node-down"][0] <= gone_s + 150.0


def test_without_a_command_nobody_power_cycles() -> None:
    task, said, _, _ = _run(DEAD, power=OutOfBand())
    assert (task.state, said) == (TaskState.FAILED, [])


def test_a_manager_that_dies_at_the_power_cycle_does_not_run_it_twice() -> None:
    async def play() -> tuple[Any, int]:
        clock, world = _world(DEAD)
        store, journal = memory_store(), Journal()
        async with simulate(world, clock, store=store, journal=journal, out_of_band=POWER) as sim:
            await _played(sim)
            while not world.audit.history("power-cycle"):
                await clock.sleep(1.0)
        async with simulate(world, clock, store=store, journal=journal, out_of_band=POWER) as sim:
            return await _ended(sim), len(world.audit.history("power-cycle"))

    task, times = virtual_time.run(play())
    assert (task.state, times) == (TaskState.DONE, 1)


async def test_a_power_cycle_of_a_node_that_the_cloud_does_not_know_stays_on_the_sheet_and_disturbs_nobody() -> None:
    world = World.in_memory(SystemClock())
    world.load(Inventory(nodes=(Node(id="k1", roles=("control",)), Node(id="cn-1"))))
    async with simulate(world, SystemClock()) as sim:
        row = Restoration(
            id="r", campaign="c", kind="power-cycle", object_id="k1", node="k1", found={}, commands=(), created_at=0.0
        )
        gone = replace(row, id="g", kind="probe-door", object_id="cn-9", node="cn-9")
        for one in (row, gone):
            await sim.store.restorations.add(one)
        await take_off_ended(sim.ctx)  # asked before any campaign starts: a refusal would keep all of them from it
        assert {left.id for left in await sim.store.restorations.open()} == {"r", "g"}


def test_a_control_node_is_taken_off_the_sheet_when_it_answers_from_another_boot_and_serves() -> None:
    async def play() -> list[list[str]]:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=1, seed=1, others=(("control", 3),))
        world.faults.add(Fault(kind="reboot", node="control-02"), Fault(kind="command", command="cycle"))
        async with simulate(world, clock, out_of_band=POWER) as sim:
            away = await _control_node_away(sim, world)
            seen = [await away.left()]
            world.hosts.power_cycle("control-02")
            await clock.sleep(1800.0)
            newer = RELEASE.spec.model_copy(update={"version": "4.0.0", "layers": {"agent": "4.0.0"}})
            world.operations.upgrade("control-02", RELEASE.model_copy(update={"spec": newer}), "somebody-else")
            seen.append(await away.left())  # it answers, and does not serve
            await clock.sleep(7200.0)
            return [*seen, await away.left()]

    assert virtual_time.run(play()) == [["power-cycle"], ["power-cycle"], []]
