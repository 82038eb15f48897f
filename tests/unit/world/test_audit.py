from __future__ import annotations

from escalator.world.world import World
from unit.world.smallcloud import TurnedClock, a_release


def test_the_most_nodes_away_at_once_counts_cordoned_and_down_ones(world: World, clock: TurnedClock) -> None:
    world.hosts.cordon("a", "campaign c")
    clock.time += 10
    world.hosts.crash("a", down_s=5)
    world.hosts.restore("a", enabled=True, reason=None)
    clock.time += 10
    assert world.audit.most_unavailable() == 1
    world.hosts.cordon("b", "campaign c")
    world.hosts.crash("c", down_s=5)
    clock.time += 10
    assert world.audit.most_unavailable() == 2


def test_moves_to_nodes_that_are_not_upgraded_are_told(world: World, clock: TurnedClock) -> None:
    kept = world.software.backup("c", a_release(), "b")
    world.moves.start("vm-3", "a", "c", "live")
    clock.time += 10
    world.operations.upgrade("c", a_release(), "u")
    clock.time += 100
    world.moves.start("vm-1", "a", "c", "live")
    clock.time += 10
    assert [entry.instance for entry in world.audit.moves_to_old()] == ["vm-3"]
    world.operations.rollback("c", a_release(), kept, "r")
    clock.time += 50
    world.moves.start("vm-2", "b", "a", "live")
    clock.time += 10
    assert [entry.instance for entry in world.audit.moves_to_old()] == ["vm-3", "vm-2"]


def test_members_of_a_group_count_while_they_are_impacted(world: World, clock: TurnedClock) -> None:
    world.power.stop("vm-1")
    clock.time += 5
    world.power.start("vm-1")
    clock.time += 5
    world.moves.start("vm-2", "b", "c", "live")
    clock.time += 10
    assert world.audit.group_peaks() == {"g": 1}
    world.power.stop("vm-1")
    clock.time += 5
    world.moves.start("vm-2", "c", "b", "live")
    clock.time += 10
    assert world.audit.group_peaks() == {"g": 2}


def test_an_upgrade_under_a_member_is_an_impact_until_it_ends(world: World, clock: TurnedClock) -> None:
    world.operations.upgrade("a", a_release(reboot="never"), "u")
    clock.time += 99
    world.moves.start("vm-2", "b", "c", "live")
    clock.time += 10
    assert world.audit.group_peaks() == {"g": 2}


def test_impacts_that_follow_one_another_are_not_at_once(world: World, clock: TurnedClock) -> None:
    world.operations.upgrade("a", a_release(reboot="never"), "u")
    clock.time += 100
    world.moves.start("vm-2", "b", "c", "live")
    clock.time += 10
    assert world.audit.group_peaks() == {"g": 1}


def test_the_history_says_when_and_in_order(world: World, clock: TurnedClock) -> None:
    world.moves.start("vm-3", "a", "c", "live")
    clock.time += 100
    world.hosts.cordon("b", "campaign c")
    history = world.audit.history()
    assert [(e.at - 1_000_000, e.what, e.node, e.instance) for e in history] == [
        (0, "move-start", "a", "vm-3"),
        (0, "impact-start", "a", "vm-3"),
        (10, "move-done", "c", "vm-3"),
        (10, "impact-end", "c", "vm-3"),
        (100, "cordon", "b", None),
    ]
