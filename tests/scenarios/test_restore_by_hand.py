"""A node that a person puts back on its backup while other things fail, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escalator.model.backup import RestoreState
from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.inventory import Inventory
from escalator.model.release import Release
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

NODE = "cn-0001"
UPGRADED = """
world nodes=3 seed=1 fill=40
campaign agent
plan agent
start agent
run agent
"""
KERNEL = "kernel 6.1.0-9-amd64 is installed, 6.1.0-18-amd64 runs"


@dataclass(frozen=True)
class _Ended:
    """What is left after a restore."""

    state: RestoreState
    message: str
    agent: str
    waits: bool
    """Whether something on the node waits for its next boot."""
    enabled: bool
    on_sheet: Sequence[str]


async def _ended(stage: Stage) -> _Ended:
    row = (await stage.backups.list(node=NODE))[0]
    software, node = stage.world.state.software.rows[NODE], stage.world.state.node(NODE)
    rows = await stage.sim.store.restorations.open(node=NODE)
    return _Ended(
        row.restore,
        row.message,
        node.versions["agent"],
        software.pending is not None,
        not node.maintenance,
        [restoration.kind for restoration in rows],
    )


def _silent_once(stage: Stage) -> None:
    """The node does not say which boot it is in when it is asked for the first time."""
    system = stage.sim.ctx.systems["simulated"]
    boot_id, asked = system.boot_id, False

    async def silent(node: str) -> str | None:
        nonlocal asked
        first, asked = not asked, True
        return None if first else await boot_id(node)

    system.boot_id = silent  # type: ignore[method-assign]


def _old_kernel_again(stage: Stage) -> None:
    """The boot loader comes up with the kernel that was taken away."""

    async def asking(_node: str, _release: Release) -> tuple[bool, str]:
        return True, KERNEL

    stage.sim.ctx.systems["simulated"].reboot_needed = asking  # type: ignore[method-assign]


def _cloud_away_after_the_cordon(stage: Stage) -> None:
    """The cloud does not answer when it is looked at again; when it does, the backup is damaged."""
    cloud = stage.sim.ctx.cloud
    inventory, looks = cloud.inventory, 0

    async def away(policy: Migration) -> Inventory:
        nonlocal looks
        looks += 1
        if looks == 2:  # the first look is before the restore begins
            await stage.do_damage(NODE)
            raise TemporaryError(Code.CLD_UNREACHABLE, "The cloud does not answer.")
        return await inventory(policy)

    cloud.inventory = away  # type: ignore[method-assign]


async def _restored(lines: str, trouble: object = None) -> _Ended:
    async with staged() as stage:
        await stage.play(UPGRADED)
        if callable(trouble):
            trouble(stage)
        await stage.play(lines)
        return await _ended(stage)


def test_a_node_that_is_silent_for_a_moment_is_rebooted_all_the_same() -> None:
    found = virtual_time.run(_restored(f"take_back {NODE} accept_impact", _silent_once))
    assert (found.state, found.agent, found.waits, found.enabled) == (RestoreState.DONE, "1.0.0", False, True)


def test_a_node_that_comes_up_with_what_was_taken_away_is_held() -> None:
    found = virtual_time.run(_restored(f"take_back {NODE} accept_impact", _old_kernel_again))
    assert (found.state, found.enabled, found.on_sheet) == (RestoreState.FAILED, False, ["cordon"])
    assert found.message == f"It has rebooted and is to reboot all the same: {KERNEL}. The node is held out of service."


def test_a_second_restore_gives_the_node_back_that_the_first_one_held() -> None:
    first = f"fault kind=rollback node={NODE} first=1\ntake_back {NODE} accept_impact"
    found = virtual_time.run(_restored(first))
    assert (found.state, found.enabled, found.on_sheet) == (RestoreState.FAILED, False, ["cordon"])
    found = virtual_time.run(_restored(f"{first}\ntake_back {NODE} accept_impact"))
    assert (found.state, found.agent, found.enabled, found.on_sheet) == (RestoreState.DONE, "1.0.0", True, [])


def test_a_second_restore_that_changes_nothing_leaves_the_node_as_the_first_one_held_it() -> None:
    first = f"fault kind=rollback node={NODE} first=1\ntake_back {NODE} accept_impact"
    found = virtual_time.run(_restored(f"{first}\ndamage {NODE}\ntake_back {NODE} accept_impact"))
    assert (found.state, found.enabled, found.on_sheet) == (RestoreState.FAILED, False, ["cordon"])


def test_a_restore_that_ends_before_it_touches_the_node_leaves_it_in_service() -> None:
    found = virtual_time.run(_restored(f"take_back {NODE} accept_impact", _cloud_away_after_the_cordon))
    assert found.state is RestoreState.FAILED
    assert "is not as it was kept" in found.message
    assert (found.agent, found.enabled, found.on_sheet) == ("2.0.0", True, [])
