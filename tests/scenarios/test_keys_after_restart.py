"""The keys of a campaign whose way there unwinds: a restart forgets that they are held, and they are held all the same."""

from __future__ import annotations

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

UNWINDING = """
world nodes=4 seed=1
campaign agent exclusive=[core]
plan agent
start agent
until agent node.back-up cn-0003 done
wait 30
pause agent
rollback agent
"""


async def _after_a_restart() -> list[str]:
    async with staged() as stage:
        await stage.play(UNWINDING)
        stage.sim.ctx.leases.forget("agent")  # what a crash leaves of them
        await stage.play("wait 400")
        said = len(stage.lines)
        await stage.play("lock core site-b 3000")
        return stage.lines[said:]


def test_no_other_site_gets_a_key_while_the_way_there_unwinds() -> None:
    assert virtual_time.run(_after_a_restart()) == ["> lock core site-b 3000", "  simulated/agent has core"]


async def _waits_for_keys_after_room() -> list[str]:
    async with staged() as stage:
        await stage.play("world nodes=3 seed=1\ncampaign agent exclusive=[core]\nplan agent")
        await stage.play("start agent\ndisable cn-0001\nwait 100\nshow agent")
        stage.sim.ctx.leases.forget("agent")
        await stage.play("steal core site-b 3000\nwait 400\nshow agent")
        return [line for line in stage.lines if line.startswith("  agent running")]


def test_who_waits_for_keys_does_not_show_the_code_of_what_was_waited_for_before() -> None:
    room, keys = virtual_time.run(_waits_for_keys_after_room())
    assert "ESC-UPG-023 waits for room" in room
    assert keys.startswith("  agent running 0/3  waits for its keys: ")
