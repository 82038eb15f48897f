"""A campaign that names commands is held to what the settings have, when it is created and when it is planned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from escalator.model.errors import InputError
from escalator.model.node_settings import CommandDriver, NamedCommand
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.system_support.command import CommandSystem
from escalator.system_support.named import NamedCommands
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.service import CampaignService
from escalator.world.world import World

ENTRIES = {"bmc-answers": NamedCommand(argv=("true",)), "agent-answers": NamedCommand(argv=("true",), where="node")}


def document(pins: Any = None, around: Any = None, **node: Any) -> str:
    spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated", **node}}
    spec |= {"pins": pins or {}, "hooks": around or {}}
    return json.dumps({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec})


async def _service(sim: Simulation, entries: dict[str, NamedCommand]) -> CampaignService:
    command = CommandSystem(CommandDriver(argv=("install",)), Path("/nonexistent"), {}, sim.ctx.clock)
    return CampaignService(replace(sim.ctx, commands=NamedCommands(entries, {}), systems={**sim.ctx.systems, "command": command}))


async def _problems(**node: Any) -> list[str]:
    clock = VirtualClock()
    async with simulate(World.in_memory(clock), clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        service = await _service(sim, ENTRIES)
        with pytest.raises(InputError) as caught:
            await service.create(document(**node))
        return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


def test_every_unknown_name_is_told_with_the_nearest() -> None:
    hooks = {"preflight": ["bmc-answers", "bmc-answer"], "maintenance": ["zzz"]}
    assert virtual_time.run(_problems(hooks=hooks, tests=["agent-answer"])) == [
        "spec.node.hooks.preflight[1]: the settings have no command 'bmc-answer'; did you mean 'bmc-answers'?",
        "spec.node.hooks.maintenance[0]: the settings have no command 'zzz'; known are agent-answers, bmc-answers",
        "spec.node.tests[0]: the settings have no command 'agent-answer'; did you mean 'agent-answers'?",
    ]


def test_what_runs_on_nodes_needs_a_driver_that_gets_there() -> None:
    (said,) = virtual_time.run(_problems(driver="command", tests=["agent-answers"]))
    assert said == "spec.node.tests[0]: 'agent-answers' is to run on nodes, and the driver command cannot do that"


def test_version_pins_are_set_from_the_servers_host() -> None:
    pins = {"set": ["bmc-answers"], "check": ["agent-answers"], "release": ["unpin"]}
    assert virtual_time.run(_problems(pins=pins)) == [
        "spec.pins.check[0]: 'agent-answers' is to run on nodes, and version pins are not about one of them",
        "spec.pins.release[0]: the settings have no command 'unpin'; known are agent-answers, bmc-answers",
    ]


def test_hooks_around_the_campaign_run_on_the_servers_host() -> None:
    hooks = {"before": ["bmc-answers"], "after": ["agent-answers", "tidy"]}
    assert virtual_time.run(_problems(around=hooks)) == [
        "spec.hooks.after[0]: 'agent-answers' is to run on nodes, and hooks of the whole campaign are not about one of them",
        "spec.hooks.after[1]: the settings have no command 'tidy'; known are agent-answers, bmc-answers",
    ]


async def _planned_later() -> None:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=3, seed=1)
    async with simulate(world, clock) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        await (await _service(sim, ENTRIES)).create(document(tests=["agent-answers"]))
        later = await _service(sim, {})
        with pytest.raises(InputError, match="cannot be run"):
            await later.plan("c")


def test_a_name_that_the_settings_have_lost_is_found_at_the_plan() -> None:
    virtual_time.run(_planned_later())
