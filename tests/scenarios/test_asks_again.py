"""An operation that asks for another try, or dies with its node, gets one: on the way there, on the way back and by hand."""

from __future__ import annotations

import pytest

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

NODE = "cn-0001"
BEGIN = """
world nodes=3 seed=1 fill=40
campaign agent failure.max_failed=9
plan agent
"""
UPGRADED = f"{BEGIN}start agent\nrun agent\n"
LOCKED = f"fault kind=rollback effect=retry node={NODE} first=2\n"
UNDONE = f"fault kind=health node={NODE} first=1\nstart agent\nrun agent\n"


async def _ran(lines: str, *, dies: bool = False) -> tuple[list[str], str, bool, list[str]]:
    """What operations ran on the node after its upgrade, what it runs, whether it is in service, and what is broken."""
    async with staged() as stage:
        await stage.play(lines)
        if dies:
            while not any(row.kind != "upgrade" and row.state == "running" for row in stage.world.state.operations.rows.values()):
                await stage.clock.sleep(1.0)
            stage.world.hosts.crash(NODE, down_s=300.0)
            await stage.play("run agent")
        await stage.play(f"runs {NODE}")
        rows = [row for row in stage.world.state.operations.rows.values() if row.node == NODE and row.kind != "upgrade"]
        enabled = not stage.world.state.node(NODE).maintenance
        return [f"{row.kind} {row.state}" for row in rows], stage.lines[-1], enabled, list(await stage.invariants())


@pytest.mark.parametrize(
    "lines",
    [
        f"{BEGIN}{LOCKED}{UNDONE}",
        f"{UPGRADED}{LOCKED}rollback agent\nrun agent",
        f"{UPGRADED}{LOCKED}take_back {NODE} accept_impact",
    ],
    ids=["undone", "rolled back", "restored by hand"],
)
def test_a_way_back_that_meets_a_lock_tries_again(lines: str) -> None:
    ran, runs, enabled, broken = virtual_time.run(_ran(lines))
    assert ran == ["rollback retry", "rollback retry", "rollback done"]
    assert "'nfvi-agent': '1.0.0'" in runs
    assert (enabled, broken) == (True, [])


def test_a_way_back_that_asks_for_ever_holds_the_node() -> None:
    ran, _, enabled, broken = virtual_time.run(_ran(f"{BEGIN}{LOCKED.replace('first=2', 'first=9')}{UNDONE}held {NODE}"))
    assert (ran, enabled) == (["rollback retry"] * 3, False)
    assert broken == []


def test_a_node_that_dies_while_it_is_put_back_is_put_back_when_it_is_there_again() -> None:
    ran, runs, enabled, broken = virtual_time.run(_ran(f"{UPGRADED}rollback agent\nuntil agent node.vacate {NODE}", dies=True))
    assert ran == ["rollback lost", "rollback done"]
    assert "'nfvi-agent': '1.0.0'" in runs
    assert (enabled, broken) == (True, [])
