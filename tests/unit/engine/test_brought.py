"""What an earlier campaign brought counts as upgraded as long as the node says so, and no longer than it is there."""

from __future__ import annotations

from dataclasses import replace

from escalator.upgrade_manager.engine.brought import by_campaigns
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

FIRST = """
world nodes=4 seed=1
campaign first scope.select.names=["cn-0003","cn-0004"]
plan first
start first
run first
campaign second
"""


def _lose_packages(stage: Stage, node: str) -> None:
    with stage.world.state.change():
        software = stage.world.state.software.rows[node]
        stage.world.state.software.put(node, replace(software, packages={"nfvi-agent": "1.9.0"}))


async def _upgraded_by_second(*more: str, lost: str | None = None) -> list[str]:
    async with staged() as stage:
        await stage.play(FIRST)
        for line in more:
            await stage.play(line)
        if lost is not None:
            _lose_packages(stage, lost)
        plan = await stage.sim.campaigns.plan("second")
        return sorted(plan.upgrade_of)


def test_what_was_brought_is_not_done_again() -> None:
    assert virtual_time.run(_upgraded_by_second()) == ["cn-0001", "cn-0002"]


def test_a_node_that_says_something_else_has_its_turn() -> None:
    assert virtual_time.run(_upgraded_by_second(lost="cn-0003")) == ["cn-0001", "cn-0002", "cn-0003"]


def test_what_was_rolled_back_has_its_turn() -> None:
    assert virtual_time.run(_upgraded_by_second("rollback first", "run first")) == ["cn-0001", "cn-0002", "cn-0003", "cn-0004"]


def test_a_campaign_that_was_rolled_back_leaves_what_the_one_before_it_brought() -> None:
    later = """
release nfvi-agent/3.0.0
campaign later release=nfvi-agent/3.0.0 scope.select.names=["cn-0003"]
plan later
start later
run later
"""

    async def versions(*more: str) -> list[str | None]:
        async with staged() as stage:
            await stage.play(FIRST)
            for lines in more:
                await stage.play(lines)
            found = await by_campaigns(stage.sim.ctx)
            there = [found.get(node, {}).get("nfvi-agent") for node in ("cn-0003", "cn-0004", "cn-0001")]
            return [one and one.version for one in there]

    assert virtual_time.run(versions()) == ["2.0.0", "2.0.0", None]
    assert virtual_time.run(versions(later)) == ["3.0.0", "2.0.0", None]
    assert virtual_time.run(versions(later, "rollback later\nrun later")) == ["2.0.0", "2.0.0", None]
