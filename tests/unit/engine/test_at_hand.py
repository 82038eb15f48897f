"""What a campaign needs on the manager's own host: told in the plan and at the start, and no node is left out for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import asyncssh
import pytest

from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, EscalatorError
from escalator.model.node_settings import ClusterCommands, CommandDriver, NamedCommand, Ssh
from escalator.model.progress import CampaignState, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.system_support.clusters.commands import CommandClusters
from escalator.system_support.command import CommandSystem
from escalator.system_support.named import NamedCommands
from escalator.system_support.port import Call, Ran, SystemSupport
from escalator.system_support.ssh import Ssh as SshLink
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World


def document(hooks: str = "preflight") -> str:
    spec = {
        "release": RELEASE.id,
        "mode": "smooth",
        "scope": {"select": {}},
        "waves": {"max_unavailable": 1},
        "node": {"driver": "simulated", "hooks": {hooks: ["pf"]}},
    }
    return json.dumps({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec})


def script(path: Path) -> Path:
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o700)
    return path


class Looked(NamedCommands):
    """Looks for programs as the server does; what it runs takes no time, as time is simulated."""

    async def run(self, call: Call, system: SystemSupport | None = None) -> Ran:
        return Ran(0, (call.command,))


async def _with(program: Path, story: object) -> None:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=6, seed=1, fill=0.1)
    commands = Looked({"pf": NamedCommand(argv=(str(program),))}, {})
    async with simulate(world, clock, commands=commands) as sim:
        await import_release(sim.store, RELEASE, clock.now())
        await sim.campaigns.create(document())
        await story(sim)  # type: ignore[operator]


def test_a_plan_is_not_smooth_while_a_program_is_not_there_and_says_which(tmp_path: Path) -> None:
    program = tmp_path / "pf.sh"

    async def story(sim: Simulation) -> None:
        plan = await sim.campaigns.plan("c")
        (failing,) = [condition for condition in plan.conditions if not condition.ok]
        assert (plan.smooth, failing.code) == (False, Code.SYS_NO_COMMAND.value)
        assert failing.message == f"The command pf is not there: {program}"
        assert failing.remedy.startswith(f"Put {program} on this host, executable, or correct commands.pf.argv")
        script(program)
        assert (await sim.campaigns.plan("c")).smooth

    virtual_time.run(_with(program, story))


def test_a_start_sees_what_is_gone_since_the_plan(tmp_path: Path) -> None:
    program = script(tmp_path / "pf.sh")

    async def story(sim: Simulation) -> None:
        assert (await sim.campaigns.plan("c")).smooth
        program.unlink()
        with pytest.raises(ConditionsError) as refused:
            await sim.campaigns.start("c")
        assert refused.value.code is Code.SYS_NO_COMMAND
        assert await sim.store.campaigns.state("c") is CampaignState.PLANNED

    virtual_time.run(_with(program, story))


def test_what_goes_missing_in_the_night_stops_the_campaign_and_leaves_no_node_out(tmp_path: Path) -> None:
    program = script(tmp_path / "pf.sh")

    async def story(sim: Simulation) -> None:
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        clock = sim.ctx.clock
        while not [t for t in await sim.store.tasks.list("c") if t.state is TaskState.RUNNING and t.step == "upgrade"]:
            await clock.sleep(1.0)
        program.unlink()
        while await sim.store.campaigns.state("c") is CampaignState.RUNNING:
            await clock.sleep(30.0)
        row = await sim.store.campaigns.get("c")
        assert row is not None
        assert (row.state, row.code) == (CampaignState.SUSPENDED, Code.SYS_NO_COMMAND.value)
        assert str(program) in row.reason
        assert TaskState.SKIPPED not in [task.state for task in await sim.store.tasks.list("c")]
        script(program)
        await sim.campaigns.resume("c")
        while await sim.store.campaigns.state("c") is CampaignState.RUNNING:
            await clock.sleep(30.0)
        assert {task.state for task in await sim.store.tasks.list("c")} == {TaskState.DONE}

    virtual_time.run(_with(program, story))


def said(lacks: Sequence[EscalatorError]) -> list[tuple[str, str]]:
    return [(lack.code.value, lack.message) for lack in lacks]


def test_a_key_and_host_keys_that_cannot_be_used_are_seen_without_a_node(tmp_path: Path) -> None:
    key, known = tmp_path / "key", tmp_path / "known_hosts"
    link = SshLink(Ssh(key="key", known_hosts=str(known)), tmp_path)
    assert said(link.lacks()) == [
        (Code.SYS_CREDENTIALS.value, "The private key key cannot be read."),
        (Code.SYS_CONFIG.value, f"{known} cannot be read as known_hosts."),
    ]
    known.write_text("")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
    key.chmod(0o644)
    assert said(link.lacks()) == [(Code.SYS_CREDENTIALS.value, "The private key key can be read by others.")]
    key.chmod(0o600)
    assert link.lacks() == []


def test_programs_of_the_command_driver_and_of_clusters_are_looked_for(tmp_path: Path) -> None:
    there, gone = str(script(tmp_path / "there")), str(tmp_path / "gone")
    settings = CommandDriver(argv=(there, "{node}"), facts_argv=(gone,))
    lacks = CommandSystem(settings, tmp_path, {}, VirtualClock()).lacks()
    assert said(lacks) == [(Code.SYS_CONFIG.value, f"The program {gone} is not there.")]
    assert "system.command.facts_argv" in lacks[0].remedy
    commands = {"ask": NamedCommand(argv=(gone,)), "there": NamedCommand(argv=(there,))}
    names = ClusterCommands(storage_status="ask", storage_flag="there", control_status="there")
    clusters = CommandClusters(names, commands, NamedCommands(commands, {}))
    assert said(clusters.lacks("storage")) == [(Code.SYS_NO_COMMAND.value, f"The command ask is not there: {gone}.")]
    assert clusters.lacks("control") == []


def test_the_way_back_waits_for_what_is_not_there_too_and_no_node_fails_for_it(tmp_path: Path) -> None:
    program = script(tmp_path / "pf.sh")

    async def story(sim: Simulation) -> None:
        clock, store = sim.ctx.clock, sim.store
        await sim.campaigns.plan("c")
        await sim.campaigns.start("c")
        while await store.campaigns.state("c") is CampaignState.RUNNING:
            await clock.sleep(30.0)
        program.unlink()
        (failing,) = [condition for condition in (await sim.campaigns.back.preview("c")).conditions if not condition.ok]
        assert failing.code == Code.SYS_NO_COMMAND.value
        await sim.campaigns.back.rollback("c")
        while await store.campaigns.state("c") is CampaignState.ROLLING_BACK:
            await clock.sleep(30.0)
        row = await store.campaigns.get("c")
        assert row is not None
        assert (row.state, row.code) == (CampaignState.ROLLBACK_PAUSED, Code.SYS_NO_COMMAND.value)
        assert str(program) in row.reason
        assert {task.state for task in await store.tasks.list("c")} == {TaskState.PENDING}
        script(program)
        await sim.campaigns.resume("c")
        while await store.campaigns.state("c") is CampaignState.ROLLING_BACK:
            await clock.sleep(30.0)
        assert await store.campaigns.state("c") is CampaignState.ROLLED_BACK
        assert {task.state for task in await store.tasks.list("c")} == {TaskState.DONE}

    virtual_time.run(_with(program, story))
