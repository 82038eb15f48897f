from __future__ import annotations

from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, an_instance, small_cloud


def test_a_new_instance_takes_the_first_room_on_its_node(world: World) -> None:
    assert world.tenants.boot(an_instance(8, "a", numa_cell=None)).cells == (0,)
    assert world.tenants.boot(an_instance(9, "a", numa_cell=None)).cells == (1,)
    assert world.state.usage.used("a") == ({"pcpu": 8.0}, {"pcpu": 8.0})


def test_a_node_that_is_disabled_down_or_full_takes_no_new_instance(world: World, clock: TurnedClock) -> None:
    world.hosts.cordon("a", "campaign c")
    world.hosts.crash("b")
    clock.time += 1
    for refused in (an_instance(9, "a"), an_instance(9, "b"), an_instance(9, "c", demand={"pcpu": 9.0}), an_instance(3, "c")):
        with pytest.raises(PermanentError) as caught:
            world.tenants.boot(refused)
        assert caught.value.code is Code.CLD_NO_VALID_HOST


@pytest.mark.parametrize("after_s", [5, 30])
@pytest.mark.parametrize("kind", ["live", "cold"])
def test_an_instance_that_is_deleted_on_its_way_leaves_no_trace(
    tmp_path: Path, clock: TurnedClock, kind: str, after_s: float
) -> None:
    world = World.open(tmp_path / "w.sqlite", clock, TIMINGS)
    world.load(small_cloud())
    world.moves.start("vm-3", "a", "c", kind)
    clock.time += after_s
    world.tenants.delete("vm-3")
    world.tenants.delete("vm-3")
    for _ in range(2):
        clock.time += 100
        assert world.instance("vm-3") is None
        assert world.moves.get("vm-3") is None
        assert world.state.usage.used("a") == ({"pcpu": 4.0}, {})
        assert world.state.usage.used("c") == ({}, {})
        world.close()
        world = World.open(tmp_path / "w.sqlite", clock, TIMINGS)
    world.close()


def test_an_instance_that_is_deleted_while_it_stops_is_simply_gone(world: World, clock: TurnedClock) -> None:
    world.power.stop("vm-3")
    world.tenants.delete("vm-3")
    clock.time += 100
    assert [i.id for i in world.inventory().instances] == ["vm-1", "vm-2"]
