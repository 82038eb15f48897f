"""A node between its old software and the new: the break-glass sheet does not let it simply be enabled."""

from __future__ import annotations

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

BEGIN = """
world nodes=4 seed=1
campaign agent
plan agent
start agent
"""


async def _commands(lines: str, node: str) -> list[list[str]]:
    """What the sheet says to do for the node after these lines."""
    async with staged() as stage:
        await stage.play(BEGIN)
        await stage.play(lines)
        rows = await stage.sim.store.restorations.open(node=node)
        return [list(row.commands) for row in rows]


def _warned(commands: list[str]) -> bool:
    return commands[0].startswith("# WARNING: ") and all(command.startswith("#") for command in commands)


def test_before_the_software_changes_the_node_may_be_enabled() -> None:
    found = virtual_time.run(_commands("until agent node.notify cn-0003 done", "cn-0003"))
    assert found
    assert not any(_warned(commands) for commands in found)


def test_while_the_software_changes_nothing_of_the_node_is_run_from_top_to_bottom() -> None:
    found = virtual_time.run(_commands("until agent node.upgrade cn-0003 done", "cn-0003"))
    assert found
    assert all(_warned(commands) for commands in found), found
    assert "neither the old nor the new" in found[0][0]
    assert found[0][1].startswith("# only then: openstack compute service set --enable")


def test_a_node_whose_way_back_failed_keeps_the_warning() -> None:
    lines = "run agent\nfault kind=rollback node=cn-0002\nrollback agent\nrun agent"
    found = virtual_time.run(_commands(lines, "cn-0002"))
    assert found
    assert all(_warned(commands) for commands in found), found


def test_a_node_that_is_held_on_its_proved_old_software_has_no_warning() -> None:
    async def _held() -> list[list[str]]:
        async with staged() as stage:
            await stage.play("world nodes=4 seed=1\ncampaign agent failure.on_node_failure=rollback-hold")
            await stage.play("fault kind=health node=cn-0004\nplan agent\nstart agent\nrun agent")
            return [list(row.commands) for row in await stage.sim.store.restorations.open(node="cn-0004")]

    found = virtual_time.run(_held())
    assert found
    assert not any(_warned(commands) for commands in found), found


def test_a_node_that_was_restored_by_hand_has_no_warning() -> None:
    async def _restored() -> tuple[list[list[str]], list[list[str]]]:
        async with staged() as stage:
            await stage.play("world nodes=12 seed=1\ncampaign agent waves.max_unavailable=3 failure.max_failed=9")
            await stage.play("fault kind=health node=cn-0003\nfault kind=rollback node=cn-0003 first=1")
            await stage.play("plan agent\nstart agent\nrun agent\nresume agent\nrun agent")
            before = [list(row.commands) for row in await stage.sim.store.restorations.open(node="cn-0003")]
            await stage.play("faults none\ntake_back cn-0003")
            return before, [list(row.commands) for row in await stage.sim.store.restorations.open(node="cn-0003")]

    before, after = virtual_time.run(_restored())
    assert before
    assert all(_warned(commands) for commands in before), before
    assert after
    assert not any(_warned(commands) for commands in after), after
