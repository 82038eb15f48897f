from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.inventory import Group, Inventory, Requires
from escalator.world.rules import Fault
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, a_node, an_instance, small_cloud


def of(clock: TurnedClock, **parts: object) -> World:
    made = World.in_memory(clock, TIMINGS)
    made.load(small_cloud().model_copy(update=parts))
    return made


def test_a_live_move_arrives_when_its_time_is_over_and_not_before(world: World, clock: TurnedClock) -> None:
    world.moves.start("vm-1", "a", "c", "live")
    clock.time += 9.9
    assert (world.instance("vm-1").node, world.instance("vm-1").task_state) == ("a", "migrating")
    clock.time += 0.1
    assert (world.instance("vm-1").node, world.instance("vm-1").state, world.instance("vm-1").task_state) == ("c", "active", None)
    assert world.moves.get("vm-1").state == "done"


def test_a_move_holds_room_at_both_ends_while_it_lasts(world: World, clock: TurnedClock) -> None:
    world.moves.start("vm-1", "a", "c", "live")
    assert world.state.usage.used("a") == ({"pcpu": 4.0}, {"pcpu": 4.0})
    assert world.state.usage.used("c") == ({"pcpu": 4.0}, {})
    clock.time += 10
    world.inventory()
    assert world.state.usage.used("a") == ({}, {"pcpu": 4.0})
    assert world.state.usage.used("c") == ({"pcpu": 4.0}, {})


def test_asking_again_for_a_move_changes_nothing(world: World, clock: TurnedClock) -> None:
    world.moves.start("vm-1", "a", "c", "live")
    clock.time += 5
    world.moves.start("vm-1", "a", "c", "live")
    clock.time += 5
    assert world.instance("vm-1").node == "c"
    world.moves.start("vm-1", "a", "c", "live")
    assert world.moves.get("vm-1").attempt == 1
    assert world.state.usage.used("c") == ({"pcpu": 4.0}, {})


def test_a_failed_move_leaves_the_instance_active_where_it_was_and_may_be_tried_again(world: World, clock: TurnedClock) -> None:
    world.faults.add(Fault(kind="live_migration", instance="vm-1", first=1))
    world.moves.start("vm-1", "a", "c", "live")
    clock.time += 5
    assert (world.instance("vm-1").node, world.instance("vm-1").state, world.instance("vm-1").task_state) == ("a", "active", None)
    assert world.moves.get("vm-1").state == "failed"
    assert world.state.usage.used("c") == ({}, {})
    world.moves.start("vm-1", "a", "c", "live")
    clock.time += 10
    assert world.instance("vm-1").node == "c"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"maintenance": True, "maintenance_reason": "disk"}, "disabled (disk)"),
        ({"state": "down"}, "is down"),
        ({"numa": ({"pcpu": 3.0}, {"pcpu": 3.0})}, "not enough room"),
        ({"numa": ({"mem_mib": 9000.0},)}, "not enough room"),
        ({"versions": {"hypervisor": "7.9.0"}}, "older"),
        ({"roles": ("control",)}, "no compute node"),
    ],
)
def test_an_unfit_target_is_refused(clock: TurnedClock, change: dict[str, object], why: str) -> None:
    nodes = (a_node("a", versions={"hypervisor": "7.10.0"}), a_node("b"), a_node("c", **change))
    world = of(clock, nodes=nodes)
    with pytest.raises(PermanentError, match="cannot take instance vm-3") as caught:
        world.moves.start("vm-3", "a", "c", "live")
    assert caught.value.code is Code.CLD_NO_VALID_HOST
    assert why in caught.value.message
    assert world.moves.get("vm-3") is None


@pytest.mark.parametrize(
    "requires",
    [Requires(az="az2"), Requires(aggregates=("gold",)), Requires(traits=("CUSTOM_X",)), Requires(physnets=("physnet2",))],
)
def test_a_target_has_to_offer_what_the_instance_requires(clock: TurnedClock, requires: Requires) -> None:
    world = of(
        clock, nodes=(a_node("a"), a_node("b"), a_node("c", az="az1")), instances=(an_instance(1, "a", requires=requires),)
    )
    with pytest.raises(PermanentError, match=r"it (lacks|is not in)"):
        world.moves.start("vm-1", "a", "c", "live")


def test_hard_anti_affinity_counts_both_ends_of_a_moving_member(world: World) -> None:
    with pytest.raises(PermanentError, match="anti-affinity group g"):
        world.moves.start("vm-1", "a", "b", "live")
    world.moves.start("vm-2", "b", "c", "live")
    for target in ("b", "c"):
        with pytest.raises(PermanentError, match="anti-affinity group g"):
            world.moves.start("vm-1", "a", target, "live")


def test_a_group_that_allows_two_on_a_node_refuses_the_third(clock: TurnedClock) -> None:
    guests = tuple(an_instance(n, where, groups=("g",), demand={"pcpu": 1.0}) for n, where in enumerate("aabc", start=1))
    world = of(clock, instances=guests, groups=(Group(id="g", max_per_node=2),))
    for late, origin in (("vm-3", "b"), ("vm-4", "c")):
        with pytest.raises(PermanentError, match="anti-affinity group g"):
            world.moves.start(late, origin, "a", "live")
    world.moves.start("vm-4", "c", "b", "live")
    with pytest.raises(PermanentError, match="anti-affinity group g"):
        world.moves.start("vm-1", "a", "b", "live")


def test_soft_anti_affinity_refuses_nothing(clock: TurnedClock) -> None:
    world = of(clock, groups=(Group(id="g", policy="soft-anti-affinity"),))
    world.moves.start("vm-1", "a", "b", "live")
    assert world.moves.get("vm-1").state == "running"


def test_an_instance_that_cannot_move_is_refused_with_its_reason(clock: TurnedClock) -> None:
    world = of(
        clock,
        instances=(an_instance(1, "a", migration="none", migration_reason="local disk"), an_instance(2, "a", migration="cold")),
    )
    for kind in ("live", "cold"):
        with pytest.raises(PermanentError, match="local disk"):
            world.moves.start("vm-1", "a", "c", kind)
    with pytest.raises(PermanentError, match="cannot be moved live"):
        world.moves.start("vm-2", "a", "c", "live")
    world.moves.start("vm-2", "a", "c", "cold")


def test_a_busy_instance_is_refused_for_now(world: World) -> None:
    world.power.stop("vm-3")
    with pytest.raises(TemporaryError, match="busy") as caught:
        world.moves.start("vm-3", "a", "c", "live")
    assert caught.value.code is Code.CLD_BUSY


def test_an_instance_that_is_elsewhere_or_unknown_is_refused(world: World) -> None:
    with pytest.raises(PermanentError, match="is on a, not on b"):
        world.moves.start("vm-3", "b", "c", "live")
    with pytest.raises(PermanentError, match="no instance vm-9"):
        world.moves.start("vm-9", "a", "c", "live")
    with pytest.raises(PermanentError, match="no node z"):
        world.moves.start("vm-3", "a", "z", "live")


def test_a_stopped_instance_moves_cold_and_stays_stopped(world: World, clock: TurnedClock) -> None:
    world.power.stop("vm-3")
    clock.time += 5
    with pytest.raises(PermanentError, match="is stopped: no live move"):
        world.moves.start("vm-3", "a", "c", "live")
    world.moves.start("vm-3", "a", "c", "cold")
    clock.time += 30
    world.moves.confirm("vm-3")
    assert (world.instance("vm-3").node, world.instance("vm-3").state) == ("c", "stopped")


def test_a_cold_move_holds_both_ends_until_it_is_confirmed(world: World, clock: TurnedClock) -> None:
    world.moves.start("vm-3", "a", "c", "cold")
    clock.time += 30
    assert (world.moves.get("vm-3").state, world.instance("vm-3").state) == ("confirm", "resized")
    assert world.state.usage.used("a") == ({"pcpu": 4.0}, {"pcpu": 4.0})
    world.moves.confirm("vm-3")
    world.moves.confirm("vm-3")
    assert (world.instance("vm-3").node, world.instance("vm-3").state) == ("c", "active")
    assert world.state.usage.used("a") == ({"pcpu": 4.0}, {})


def test_a_cold_move_can_be_taken_back(world: World, clock: TurnedClock) -> None:
    world.moves.start("vm-3", "a", "c", "cold")
    clock.time += 30
    world.moves.revert("vm-3")
    assert (world.instance("vm-3").node, world.instance("vm-3").cells, world.instance("vm-3").state) == ("a", (1,), "active")
    assert world.state.usage.used("a") == ({"pcpu": 4.0}, {"pcpu": 4.0})
    assert world.state.usage.used("c") == ({}, {})


def test_a_member_that_waits_for_confirm_counts_at_both_ends(world: World, clock: TurnedClock) -> None:
    world.moves.start("vm-2", "b", "c", "cold")
    clock.time += 30
    with pytest.raises(PermanentError, match="anti-affinity group g"):
        world.moves.start("vm-1", "a", "b", "live")
    world.moves.confirm("vm-2")
    world.moves.start("vm-1", "a", "b", "live")


def test_a_live_move_that_hangs_ends_when_it_is_aborted(world: World, clock: TurnedClock) -> None:
    world.faults.add(Fault(kind="live_migration", effect="hang"))
    world.moves.start("vm-3", "a", "c", "live")
    clock.time += 1e6
    assert world.moves.get("vm-3").state == "running"
    world.moves.abort("vm-3")
    world.moves.abort("vm-3")
    assert world.moves.get("vm-3").state == "failed"
    assert (world.instance("vm-3").node, world.instance("vm-3").task_state) == ("a", None)


def test_an_aborted_move_does_not_arrive_later(world: World, clock: TurnedClock) -> None:
    world.moves.start("vm-3", "a", "c", "live")
    world.moves.abort("vm-3")
    clock.time += 100
    assert world.instance("vm-3").node == "a"


def test_a_lost_instance_is_gone_and_counts_as_an_incident(world: World, clock: TurnedClock) -> None:
    world.faults.add(Fault(kind="live_migration", effect="lost"))
    world.moves.start("vm-3", "a", "c", "live")
    clock.time += 10
    assert world.instance("vm-3") is None
    assert world.moves.get("vm-3").state == "lost"
    assert [i.what for i in world.audit.incidents] == ["instance-lost"]
    assert world.state.usage.used("a") == ({"pcpu": 4.0}, {})
    assert world.state.usage.used("c") == ({}, {})


@pytest.mark.parametrize("node", ["a", "c"])
def test_a_node_that_goes_down_breaks_off_moves_from_and_to_it(world: World, clock: TurnedClock, node: str) -> None:
    world.moves.start("vm-3", "a", "c", "live")
    world.hosts.crash(node)
    clock.time += 1
    assert world.moves.get("vm-3").state == "failed"
    assert world.instance("vm-3").node == "a"
    clock.time += 100
    assert world.instance("vm-3").node == "a"


def test_an_instance_takes_the_first_cells_that_hold_it(clock: TurnedClock) -> None:
    nodes = (a_node("a"), a_node("b", numa=({"pcpu": 2.0}, {"pcpu": 8.0}, {"pcpu": 8.0})))
    world = World.in_memory(clock, TIMINGS)
    world.load(Inventory(nodes=nodes, instances=(an_instance(1, "a", numa_cell=None, numa_span=2),)))
    world.moves.start("vm-1", "a", "b", "live")
    clock.time += 10
    assert world.instance("vm-1").cells == (1, 2)
    assert world.state.usage.used("b") == ({}, {"pcpu": 4.0}, {"pcpu": 4.0})
