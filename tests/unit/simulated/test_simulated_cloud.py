from __future__ import annotations

import pytest

from escalator.cloud_manager.port import CloudManager, MoveOrder, MoveState, ServiceState
from escalator.cloud_manager.simulated import SimulatedCloud
from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.world.rules import Fault
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, small_cloud

ORDER = MoveOrder("vm-3", "a", "c", "live")


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def world(clock: TurnedClock) -> World:
    made = World.in_memory(clock, TIMINGS)
    made.load(small_cloud())
    return made


@pytest.fixture
def cloud(world: World) -> CloudManager:
    return SimulatedCloud(world)


async def test_a_loaded_world_shows_what_was_loaded(cloud: CloudManager) -> None:
    assert await cloud.inventory(Migration()) == small_cloud()
    assert [i.id for i in await cloud.instances_on("a", Migration())] == ["vm-1", "vm-3"]
    assert await cloud.node("a") == small_cloud().node_by_id["a"]


async def test_a_seeded_world_names_itself_by_its_seed(clock: TurnedClock) -> None:
    world = World.in_memory(clock)
    world.seed(nodes=4, seed=7)
    assert (await SimulatedCloud(world).identity()).id == "simulated-4-7"


async def test_nodes_that_are_down_or_disabled_are_unavailable(cloud: CloudManager, world: World) -> None:
    assert await cloud.unavailable() == {}
    await cloud.cordon("a", "campaign c")
    world.hosts.crash("b")
    assert await cloud.unavailable() == {
        "a": ServiceState("a", enabled=False, up=True, reason="campaign c"),
        "b": ServiceState("b", enabled=True, up=False),
    }
    assert await cloud.service("b") == ServiceState("b", enabled=True, up=False)


async def test_a_move_under_way_shows_how_far_it_is(cloud: CloudManager, clock: TurnedClock) -> None:
    await cloud.start_move(ORDER)
    clock.time += 5
    status = await cloud.move_status(ORDER)
    assert (status.state, status.at, status.progress) == (MoveState.RUNNING, "a", 50.0)


async def test_another_order_than_the_one_asked_for_is_judged_by_where_the_instance_is(
    cloud: CloudManager, clock: TurnedClock
) -> None:
    await cloud.start_move(ORDER)
    clock.time += 10
    assert (await cloud.move_status(MoveOrder("vm-3", "a", "b", "live"))).state is MoveState.NONE
    assert (await cloud.move_status(MoveOrder("vm-3", "b", "c", "live"))).state is MoveState.DONE
    await cloud.start_move(MoveOrder("vm-3", "c", "a", "cold"))
    clock.time += 30
    await cloud.confirm_move(ORDER)
    assert (await cloud.move_status(MoveOrder("vm-3", "c", "a", "cold"))).state is MoveState.CONFIRM


async def test_an_instance_that_stopped_after_its_move_is_not_healthy(
    cloud: CloudManager, world: World, clock: TurnedClock
) -> None:
    await cloud.start_move(ORDER)
    clock.time += 10
    assert (await cloud.move_status(ORDER)).healthy
    world.hosts.crash("c")
    assert not (await cloud.move_status(ORDER)).healthy


@pytest.mark.parametrize(("kind", "word"), [("start", "error"), ("stop", "busy")])
async def test_what_blocks_an_instance_is_told_with_the_remedy(
    cloud: CloudManager, world: World, clock: TurnedClock, kind: str, word: str
) -> None:
    world.faults.add(Fault(kind=kind, effect="fail" if kind == "start" else "hang"))
    await cloud.stop("vm-3")
    clock.time += 5
    if kind == "start":
        await cloud.start("vm-3")
        clock.time += 5
    found = await cloud.instance("vm-3")
    assert found is not None
    assert word in (found.blocked or "")
    assert found in await cloud.instances_on("a", Migration())
    assert found in (await cloud.inventory(Migration())).instances


async def test_a_refused_cordon_leaves_the_node_as_it_was(cloud: CloudManager, world: World) -> None:
    world.faults.add(Fault(kind="cordon", node="a"))
    with pytest.raises(PermanentError) as caught:
        await cloud.cordon("a", "campaign c")
    assert caught.value.code is Code.CLD_REFUSED
    assert (await cloud.service("a")).enabled
