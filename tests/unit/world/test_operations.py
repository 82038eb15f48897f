from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.world.rules import Fault
from escalator.world.world import World
from unit.world.smallcloud import TurnedClock, a_release

NEW = {"nfvi-agent": "2.0.0", "nfvi-tools": "2.0.0"}


def upgraded(world: World, clock: TurnedClock, operation: str = "u", **release: object) -> None:
    world.hosts.cordon("c", "campaign c")
    world.operations.upgrade("c", a_release(**release), operation)
    clock.time += 100


def test_an_upgrade_installs_restarts_the_daemon_and_waits_for_the_boot(world: World, clock: TurnedClock) -> None:
    world.hosts.cordon("c", "campaign c")
    world.operations.upgrade("c", a_release(), "u")
    clock.time += 99
    assert world.operations.get("c", "u").state == "running"
    assert world.software.look("c").daemon == "1.0.0"
    clock.time += 1
    assert (world.operations.get("c", "u").state, world.operations.get("c", "u").exit_code) == ("done", 0)
    software = world.software.look("c")
    assert (software.packages, software.daemon) == (NEW, "2.0.0")
    assert software.pending is not None
    assert world.hosts.get("c").versions.get("agent") is None
    world.hosts.reboot("c", world.hosts.boot_id("c"))
    clock.time += 40
    assert world.hosts.get("c").versions["agent"] == "2.0.0"
    assert world.software.look("c").pending is None


@pytest.mark.parametrize("more", [{"reboot": "never"}, {"impact": "none"}])
def test_without_a_reboot_everything_comes_into_force_at_once(world: World, clock: TurnedClock, more: dict[str, str]) -> None:
    upgraded(world, clock, **more)
    world.inventory()
    assert world.hosts.get("c").versions["agent"] == "2.0.0"
    assert world.software.look("c").pending is None


def test_the_same_operation_is_started_once(world: World, clock: TurnedClock) -> None:
    upgraded(world, clock)
    world.operations.upgrade("c", a_release("3.0.0"), "u")
    clock.time += 1000
    assert world.software.look("c").packages == NEW
    assert len(world.audit.history("upgrade-start")) == 1


@pytest.mark.parametrize("reboot", ["never", "always"])
def test_an_upgrade_to_what_is_there_is_not_needed(world: World, clock: TurnedClock, reboot: str) -> None:
    upgraded(world, clock, reboot=reboot)
    world.operations.upgrade("c", a_release(reboot=reboot), "again")
    assert world.operations.get("c", "again").state == "not-needed"
    assert world.software.look("c").packages == NEW


def test_an_unknown_operation_or_one_of_another_node_is_not_found(world: World, clock: TurnedClock) -> None:
    upgraded(world, clock)
    assert world.operations.get("c", "x") is None
    assert world.operations.get("b", "u") is None


@pytest.mark.parametrize(
    ("effect", "state", "exit_code", "installed"),
    [
        ("fail", "failed", 100, "half"),
        ("retry", "retry", 75, "half"),
        ("lost", "lost", None, "all"),
        ("hang", "running", None, "none"),
    ],
)
def test_an_upgrade_goes_wrong_as_the_faults_say(
    world: World, clock: TurnedClock, effect: str, state: str, exit_code: int | None, installed: str
) -> None:
    world.faults.add(Fault(kind="upgrade", node="c", effect=effect))
    upgraded(world, clock)
    found = world.operations.get("c", "u")
    assert (found.state, found.exit_code) == (state, exit_code)
    expected = {"half": {"nfvi-agent": "2.0.0"}, "all": NEW, "none": {"nfvi-agent": "1.0.0"}}[installed]
    assert world.software.look("c").packages == expected
    assert world.software.look("c").daemon == ("2.0.0" if installed == "all" else "1.0.0")


def test_a_slow_upgrade_takes_as_much_longer_as_the_factor_says(world: World, clock: TurnedClock) -> None:
    world.faults.add(Fault(kind="upgrade", effect="slow", factor=2))
    upgraded(world, clock)
    assert world.operations.get("c", "u").state == "running"
    clock.time += 100
    assert world.operations.get("c", "u").state == "done"


def test_a_node_that_crashes_loses_its_upgrade_and_comes_back(world: World, clock: TurnedClock) -> None:
    world.faults.add(Fault(kind="node_crash", first=1))
    world.hosts.cordon("c", "campaign c")
    world.operations.upgrade("c", a_release(), "u")
    clock.time += 50
    with pytest.raises(TemporaryError) as caught:
        world.operations.get("c", "u")
    assert caught.value.code is Code.SYS_UNREACHABLE
    clock.time += 40
    assert world.operations.get("c", "u").state == "lost"
    clock.time += 1000
    assert world.software.look("c").daemon == "1.0.0"


@pytest.mark.parametrize("fails_first", [True, False])
def test_a_rollback_puts_back_what_the_backup_kept(world: World, clock: TurnedClock, fails_first: bool) -> None:
    kept = world.software.backup("c", a_release(), "b")
    if fails_first:
        world.faults.add(Fault(kind="upgrade"))
    upgraded(world, clock)
    assert world.software.look("c").packages != kept.packages
    world.operations.rollback("c", a_release(), kept, "r")
    clock.time += 50
    assert world.operations.get("c", "r").state == "done"
    software = world.software.look("c")
    assert (software.packages, software.daemon, software.pending) == (kept.packages, "1.0.0", None)


def test_a_rollback_after_the_boot_needs_another_one(world: World, clock: TurnedClock) -> None:
    kept = world.software.backup("c", a_release(), "b")
    upgraded(world, clock)
    world.hosts.reboot("c", world.hosts.boot_id("c"))
    clock.time += 40
    world.operations.rollback("c", a_release(), kept, "r")
    clock.time += 50
    assert world.software.look("c").daemon == "1.0.0"
    assert world.software.look("c").pending is not None
    world.hosts.reboot("c", world.hosts.boot_id("c"))
    clock.time += 40
    assert world.hosts.get("c").versions == kept.versions


def test_a_backup_keeps_its_first_content(world: World, clock: TurnedClock) -> None:
    kept = world.software.backup("c", a_release(), "b")
    upgraded(world, clock)
    assert world.software.backup("c", a_release(), "b") == kept
    assert world.software.kept("b") == kept
    assert kept.packages == {"nfvi-agent": "1.0.0"}


@pytest.mark.parametrize("defect", ["daemon", "packages", "health", "offers"])
def test_a_bad_release_breaks_what_the_rule_names_until_it_is_rolled_back(world: World, clock: TurnedClock, defect: str) -> None:
    kept = world.software.backup("c", a_release(), "b")
    world.faults.add(Fault(kind=defect, release="nfvi-agent/2.*"))
    upgraded(world, clock)
    software = world.software.inspect("c")
    assert software.defects == (defect,)
    assert (software.daemon == "1.0.0") is (defect == "daemon")
    assert (software.packages != NEW) is (defect == "packages")
    assert (software.offers != {"pcpu": 16.0}) is (defect == "offers")
    world.operations.rollback("c", a_release(), kept, "r")
    clock.time += 50
    assert world.software.inspect("c").defects == ()
    assert world.software.inspect("c").offers == {"pcpu": 16.0}


def test_staging_twice_is_staging_once(world: World) -> None:
    world.software.stage("c", a_release())
    world.software.stage("c", a_release())
    assert world.software.look("c").staged == ("nfvi-agent/2.0.0",)


@pytest.mark.parametrize("kind", ["stage", "backup", "inspect"])
@pytest.mark.parametrize(("effect", "error"), [("fail", PermanentError), ("retry", TemporaryError), ("lost", TemporaryError)])
def test_calls_that_are_answered_at_once_fail_as_the_faults_say(
    world: World, kind: str, effect: str, error: type[Exception]
) -> None:
    world.faults.add(Fault(kind=kind, effect=effect, first=1))
    calls = {
        "stage": lambda: world.software.stage("c", a_release()),
        "backup": lambda: world.software.backup("c", a_release(), "b"),
        "inspect": lambda: world.software.inspect("c"),
    }
    with pytest.raises(error, match="Simulated"):
        calls[kind]()
    if kind == "stage":
        assert bool(world.software.look("c").staged) is (effect == "lost")
    calls[kind]()


def test_a_node_that_is_down_answers_nothing(world: World) -> None:
    world.hosts.crash("c")
    calls = (
        lambda: world.software.inspect("c"),
        lambda: world.software.stage("c", a_release()),
        lambda: world.software.backup("c", a_release(), "b"),
        lambda: world.operations.upgrade("c", a_release(), "u"),
        lambda: world.operations.get("c", "u"),
    )
    for call in calls:
        with pytest.raises(TemporaryError, match="does not answer"):
            call()


def test_changing_a_node_in_service_or_under_business_is_an_incident(world: World, clock: TurnedClock) -> None:
    world.operations.upgrade("a", a_release(), "u")
    assert [(i.what, i.instance) for i in world.audit.incidents] == [
        ("changed-in-service", None),
        ("changed-under", "vm-1"),
        ("changed-under", "vm-3"),
    ]


def test_changing_a_node_that_instances_are_on_their_way_to_is_an_incident(world: World) -> None:
    world.moves.start("vm-3", "a", "c", "live")
    world.hosts.cordon("c", "campaign c")
    world.operations.upgrade("c", a_release(), "u")
    assert [(i.what, i.instance) for i in world.audit.incidents] == [("changed-under", "vm-3")]
