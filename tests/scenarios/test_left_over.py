"""What is easily taken for over: a slot of a node that is out, pins that nobody releases, a node that is not what it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

Seen = TypeVar("Seen")
HELD = """
world nodes=1 seed=1 storage=4
campaign agent scope.select.role=storage gates.before_node=[noc] failure.on_node_failure=rollback-hold waves.max_unavailable=1
gate noc go
fault kind=health node=storage-02 first=1
plan agent
start agent
run agent
gate noc not-yet we are looking
retry agent storage-02
wait 120
"""
PINNED = """
world nodes=4 seed=1
campaign agent pins.set=[pin-on]
plan agent
start agent
run agent
"""
BROUGHT = """
world nodes=4 seed=1
campaign agent
plan agent
start agent
run agent
"""


def _seen(script: str, look: Callable[[Stage], Awaitable[Seen]]) -> Seen:
    async def play() -> Seen:
        async with staged() as stage:
            await stage.play(script)
            return await look(stage)

    return virtual_time.run(play())


def test_a_node_that_is_out_keeps_its_slot_while_a_gate_holds_its_next_turn_up() -> None:
    async def slots(stage: Stage) -> list[str]:
        return [slot.node for slot in await stage.sim.store.admission.node_slots()]

    assert _seen(HELD, slots) == ["storage-02"]


def test_pins_that_no_command_releases_stay_on_the_sheet_and_are_named() -> None:
    async def pins(stage: Stage) -> tuple[list[str], str]:
        row = await stage.sim.store.campaigns.get("agent")
        assert row is not None
        open_rows = await stage.sim.store.restorations.open()
        return [command for one in open_rows for command in one.commands], row.reason or ""

    commands, reason = _seen(PINNED, pins)
    assert commands == ["# once all nodes run one version: take back what commands.pin-on of the settings did"]
    assert "not put back: version-pin of pin-on" in reason


def test_a_node_that_was_installed_anew_has_its_turn_again() -> None:
    async def again(stage: Stage) -> list[str]:
        state = stage.world.state
        with state.change():
            state.software.put("cn-0003", replace(state.software.rows["cn-0003"], packages={}, daemon=None))
            state.put_node(state.node("cn-0003").model_copy(update={"versions": {}}))
        await stage.play("campaign again\nplan again\nstart again\nrun again")
        return [task.node for task in await stage.sim.store.tasks.list("again")]

    assert _seen(BROUGHT, again) == ["cn-0003"]
