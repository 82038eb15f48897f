"""Reboots that a node needs: done also where it has rebooted by itself, and seen to have brought what they were for."""

from __future__ import annotations

from escalator.model.progress import TaskState
from escalator.model.release import Release
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

NODE = "cn-0003"
KERNEL = "kernel 6.1.0-18-amd64 is installed, 6.1.0-9-amd64 runs"


async def _turn(script: str, *, asks: str = "") -> tuple[TaskState, str, dict[str, str], bool]:
    """How the node's turn ended, what was said of its reboot, what it runs, and whether something waits for its next boot.

    `asks`: what the node asks for a reboot for, from the first time that it does until the end.
    """
    async with staged() as stage:
        await stage.play("world nodes=4 seed=1\ncampaign agent failure.max_failed=9")
        await stage.play(script)
        if asks:
            _ask_on(stage, asks)
        await stage.play("plan agent\nstart agent\nrun agent")
        task = await stage.sim.store.tasks.get("agent", NODE)
        assert task is not None
        said = next(line for line in stage.lines if f"node.reboot {NODE}" in line)
        software, node = stage.world.state.software.rows[NODE], stage.world.state.node(NODE)
        return task.state, said, dict(node.versions), software.pending is not None


def _ask_on(stage: Stage, why: str) -> None:
    """The boot loader comes up with the old kernel again and again."""
    system = stage.sim.ctx.systems["simulated"]
    needed, asked = system.reboot_needed, False

    async def asking(node: str, release: Release) -> tuple[bool, str]:
        nonlocal asked
        found = await needed(node, release)
        asked = asked or (node == NODE and found[0])
        return (True, why) if node == NODE and asked else found

    system.reboot_needed = asking  # type: ignore[method-assign]


def test_a_node_that_died_under_its_installer_is_rebooted_for_what_was_installed_after_that() -> None:
    state, said, versions, waits = virtual_time.run(_turn(f"fault kind=node_crash node={NODE} first=1 effect=fail"))
    assert (state, waits) == (TaskState.DONE, False)
    assert "done rebooted: " in said
    assert versions["agent"] == "2.0.0"


def test_a_node_that_comes_up_with_what_it_ran_before_is_not_upgraded() -> None:
    state, said, _, _ = virtual_time.run(_turn("", asks=KERNEL))
    assert state is TaskState.FAILED  # the way back asks for a reboot in vain, too
    assert f"ESC-SYS-010 the node has rebooted and is to reboot all the same: {KERNEL}" in said
