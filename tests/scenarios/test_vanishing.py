"""Instances that are gone, or run again, when something is to be done with them: nobody waits for them, and none is cut off."""

from __future__ import annotations

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

PLANNED = "world nodes=4 seed=1\ncampaign agent workloads.default.action=stop-start\nplan agent"


async def _deleted_at(verb: str, instance: str) -> tuple[list[str], list[str]]:
    """The run of a campaign whose instance is deleted by its VNF manager just before the cloud is asked for that."""
    async with staged() as stage:
        await stage.play(PLANNED)
        cloud = stage.sim.ctx.cloud
        asked = getattr(cloud, verb)

        async def deleting(what: object) -> None:
            if getattr(what, "instance", what) == instance and instance in stage.world.state.instances.rows:
                stage.world.tenants.delete(instance)
            await asked(what)

        setattr(cloud, verb, deleting)
        await stage.play("start agent\nrun agent\nshow agent")
        return stage.lines, list(await stage.invariants())


def test_an_instance_that_is_deleted_before_it_is_stopped_fails_no_node() -> None:
    lines, broken = virtual_time.run(_deleted_at("stop", "vm-000011"))
    assert (lines[-7].strip(), broken) == ("agent completed 4/4", [])
    assert not any("instance.start" in line and "vm-000011" in line for line in lines)


def test_an_instance_that_is_deleted_before_it_moves_leaves_no_node_out() -> None:
    lines, broken = virtual_time.run(_deleted_at("start_move", "vm-000019"))
    assert (lines[-7].strip(), broken) == ("agent completed 4/4", [])
    assert not any("ESC-UPG-020" in line for line in lines)


async def _healed(times: int) -> tuple[list[str], list[str]]:
    """The run of a campaign in which an instance is started as often, whenever it was stopped for its node's reboot."""
    async with staged() as stage:
        await stage.play(f"{PLANNED}\nstart agent\nuntil agent node.back-up cn-0003 done")
        stop, left = stage.sim.ctx.cloud.stop, times

        async def healing(instance: str) -> None:
            nonlocal left
            await stop(instance)
            if instance == "vm-000011" and left:
                left -= 1
                await stage.clock.sleep(stage.sim.ctx.pace.poll_s * 3)
                stage.world.power.start(instance)

        stage.sim.ctx.cloud.stop = healing  # type: ignore[method-assign]
        await stage.play("mend vm-000011\nrun agent\nshow agent")
        return stage.lines, list(await stage.invariants())


def test_an_instance_that_is_healed_once_more_is_stopped_once_more() -> None:
    lines, broken = virtual_time.run(_healed(1))
    assert (lines[-7].strip(), broken) == ("agent completed 4/4", [])
    assert sum("instance.stop cn-0003 vm-000011" in line for line in lines) == 3


def test_a_node_does_not_go_down_under_an_instance_that_is_started_again_and_again() -> None:
    lines, broken = virtual_time.run(_healed(99))
    assert any("instance vm-000011 is started again whenever it is stopped" in line for line in lines)
    assert any(line.strip().startswith("agent suspended") for line in lines)
    assert [line for line in broken if "rebooted-under" in line] == []
