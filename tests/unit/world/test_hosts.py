from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.world.rules import Fault
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, a_node, a_release, an_instance, small_cloud


def test_a_cordon_has_a_reason_and_is_put_back_to_what_was_found(world: World) -> None:
    world.hosts.cordon("a", "campaign c")
    world.hosts.cordon("a", "campaign c")
    assert (world.hosts.get("a").maintenance, world.hosts.get("a").maintenance_reason) == (True, "campaign c")
    assert world.hosts.unavailable() == {"a": "campaign c"}
    world.hosts.restore("a", enabled=True, reason=None)
    world.hosts.restore("a", enabled=True, reason=None)
    assert not world.hosts.get("a").maintenance
    assert world.hosts.unavailable() == {}
    assert [e.what for e in world.audit.history("cordon", "restore")] == ["cordon", "restore"]


def test_a_cordon_of_someone_else_is_not_taken_over(world: World) -> None:
    world.hosts.cordon("a", "disk is broken")
    with pytest.raises(PermanentError) as caught:
        world.hosts.cordon("a", "campaign c")
    assert caught.value.code is Code.CLD_FOREIGN_CORDON
    world.hosts.restore("a", enabled=False, reason="disk is broken")
    assert world.hosts.get("a").maintenance_reason == "disk is broken"


def test_a_reboot_gives_a_new_boot_id_and_happens_once(world: World, clock: TurnedClock) -> None:
    before = world.hosts.boot_id("c")
    world.hosts.reboot("c", before)
    world.hosts.reboot("c", before)
    assert world.hosts.boot_id("c") is None
    assert world.hosts.unavailable() == {"c": "its compute service is down"}
    clock.time += 40
    after = world.hosts.boot_id("c")
    assert after not in (None, before)
    world.hosts.reboot("c", before)
    assert world.hosts.boot_id("c") == after


def test_a_reboot_under_a_running_instance_is_an_incident_and_stops_it(world: World, clock: TurnedClock) -> None:
    world.hosts.reboot("b", world.hosts.boot_id("b"))
    assert world.instance("vm-2").state == "stopped"
    assert [(i.what, i.node, i.instance) for i in world.audit.incidents] == [("rebooted-under", "b", "vm-2")]
    clock.time += 40
    assert world.instance("vm-2").state == "active"


def test_guests_stay_off_where_the_cloud_does_not_resume_them(clock: TurnedClock) -> None:
    world = World.in_memory(clock, replace(TIMINGS, resume_guests=False))
    world.load(small_cloud())
    world.hosts.reboot("b", world.hosts.boot_id("b"))
    clock.time += 40
    assert world.instance("vm-2").state == "stopped"


def test_a_reboot_of_an_empty_node_is_no_incident(world: World) -> None:
    world.hosts.reboot("c", world.hosts.boot_id("c"))
    assert world.audit.incidents == ()


def test_a_crash_stops_what_runs_there_and_is_not_the_managers_fault(world: World, clock: TurnedClock) -> None:
    world.hosts.crash("a", at=clock.time + 10, down_s=30)
    assert world.hosts.get("a").state == "up"
    clock.time += 10
    assert world.hosts.get("a").state == "down"
    assert world.instance("vm-1").state == "stopped"
    clock.time += 30
    assert world.hosts.get("a").state == "up"
    assert world.instance("vm-1").state == "active"
    assert world.audit.incidents == ()


def test_a_crash_without_end_lasts(world: World, clock: TurnedClock) -> None:
    world.hosts.crash("a")
    clock.time += 1e6
    assert world.hosts.boot_id("a") is None


@pytest.mark.parametrize(("effect", "comes_back"), [("lost", False), ("fail", False), ("slow", True)])
def test_a_reboot_goes_wrong_as_the_faults_say(world: World, clock: TurnedClock, effect: str, comes_back: bool) -> None:
    world.faults.add(Fault(kind="reboot", effect=effect, factor=3))
    world.hosts.reboot("c", world.hosts.boot_id("c"))
    clock.time += 119
    assert world.hosts.boot_id("c") is None
    clock.time += 1
    assert (world.hosts.boot_id("c") is not None) is comes_back


def test_a_reboot_that_hangs_never_begins_and_one_that_is_refused_says_so(world: World, clock: TurnedClock) -> None:
    world.faults.add(Fault(kind="reboot", effect="hang", first=1), Fault(kind="reboot", effect="retry"))
    before = world.hosts.boot_id("c")
    world.hosts.reboot("c", before)
    clock.time += 1000
    assert world.hosts.boot_id("c") == before
    with pytest.raises(TemporaryError) as caught:
        world.hosts.reboot("c", before)
    assert caught.value.code is Code.SYS_REBOOT


def test_a_node_that_is_cut_off_works_on(world: World, clock: TurnedClock) -> None:
    world.hosts.cordon("c", "campaign c")
    world.operations.upgrade("c", a_release(), "u")
    world.hosts.cut_off("c", for_s=150)
    assert world.hosts.boot_id("c") is None
    with pytest.raises(TemporaryError, match="does not answer"):
        world.operations.get("c", "u")
    clock.time += 150
    assert world.hosts.boot_id("c") is not None
    assert world.operations.get("c", "u").state == "done"
    assert world.hosts.get("c").state == "up"


def test_an_unknown_node_is_refused(world: World) -> None:
    for call in (lambda: world.hosts.get("z"), lambda: world.hosts.cordon("z", "x"), lambda: world.instances_on("z")):
        with pytest.raises(PermanentError, match="no node z"):
            call()


def test_stop_and_start_are_asked_for_and_happen_a_little_later(world: World, clock: TurnedClock) -> None:
    world.power.stop("vm-3")
    world.power.stop("vm-3")
    assert (world.instance("vm-3").state, world.instance("vm-3").task_state) == ("active", "powering-off")
    with pytest.raises(TemporaryError, match="busy"):
        world.power.start("vm-3")
    clock.time += 5
    assert (world.instance("vm-3").state, world.instance("vm-3").task_state) == ("stopped", None)
    world.power.stop("vm-3")
    world.power.start("vm-3")
    clock.time += 5
    assert (world.instance("vm-3").state, world.instance("vm-3").task_state) == ("active", None)


def test_a_start_on_a_node_that_is_down_waits_for_another_try(world: World, clock: TurnedClock) -> None:
    world.power.stop("vm-3")
    clock.time += 5
    world.hosts.crash("a", down_s=10)
    with pytest.raises(TemporaryError, match="is down"):
        world.power.start("vm-3")
    clock.time += 10
    world.power.start("vm-3")


def test_a_failed_start_ends_in_error_and_a_failed_stop_changes_nothing(world: World, clock: TurnedClock) -> None:
    world.faults.add(Fault(kind="stop", instance="vm-3", first=1), Fault(kind="start", instance="vm-3"))
    world.power.stop("vm-3")
    clock.time += 5
    assert (world.instance("vm-3").state, world.instance("vm-3").task_state) == ("active", None)
    world.power.stop("vm-3")
    clock.time += 5
    world.power.start("vm-3")
    clock.time += 5
    assert world.instance("vm-3").state == "error"


def test_a_node_that_goes_down_ends_a_stop_under_way(world: World, clock: TurnedClock) -> None:
    world.power.stop("vm-3")
    world.hosts.crash("a")
    clock.time += 100
    assert (world.instance("vm-3").state, world.instance("vm-3").task_state) == ("stopped", None)
    assert an_instance(3, "a").running
    assert a_node("a").state == "up"
