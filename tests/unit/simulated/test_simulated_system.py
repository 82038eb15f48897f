from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.release import Release
from escalator.system_support.port import Check, OperationState, SystemSupport
from escalator.system_support.simulated import SimulatedSystem
from escalator.world.rules import Fault
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, a_release, small_cloud

RELEASE = a_release()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def world(clock: TurnedClock) -> World:
    made = World.in_memory(clock, TIMINGS)
    made.load(small_cloud())
    made.hosts.cordon("c", "campaign c")
    return made


@pytest.fixture
def system(world: World) -> SystemSupport:
    return SimulatedSystem(world)


def good(checks: tuple[Check, ...]) -> dict[str, bool]:
    return {check.name: check.ok for check in checks}


async def test_a_node_shows_the_releases_packages_its_daemon_and_what_it_offers(system: SystemSupport, world: World) -> None:
    world.install("c", {"nfvi-agent": "1.5.0", "other": "7"}, daemon="1.5.0")
    facts = await system.inspect("c", RELEASE)
    assert (facts.packages, facts.daemon, facts.offers) == ({"nfvi-agent": "1.5.0"}, "1.5.0", {"pcpu": 16.0})
    assert facts.boot_id == await system.boot_id("c")


async def test_an_upgrade_is_followed_to_its_end_and_every_check_is_good(system: SystemSupport, clock: TurnedClock) -> None:
    assert (await system.poll("c", "u")).state is OperationState.UNKNOWN
    await system.stage("c", RELEASE)
    await system.start("c", RELEASE, "u")
    running = await system.poll("c", "u")
    assert (running.state, running.exit_code, running.lines) == (OperationState.RUNNING, None, ("fetching",))
    clock.time += 60
    later = await system.poll("c", "u", running.cursor)
    assert later.lines == ("unpacking", "configuring")
    assert not good(await system.verify("c", RELEASE, "u"))["installer"]
    clock.time += 40
    done = await system.poll("c", "u", later.cursor)
    assert (done.state, done.exit_code, done.lines) == (OperationState.DONE, 0, ("restarting the daemon", "ended: done"))
    assert (await system.poll("c", "u", done.cursor)).lines == ()
    assert good(await system.verify("c", RELEASE, "u")) == {"installer": True, "packages": True, "daemon": True, "health": True}
    assert "installer" not in good(await system.verify("c", RELEASE, None))


async def test_before_the_upgrade_packages_and_daemon_are_wrong(system: SystemSupport) -> None:
    checks = {check.name: check for check in await system.verify("c", RELEASE, None)}
    assert (checks["packages"].ok, checks["packages"].code) == (False, Code.SYS_PACKAGES)
    assert "nfvi-tools is not installed instead of 2.0.0" in checks["packages"].message
    assert (checks["daemon"].ok, checks["daemon"].code) == (False, Code.SYS_DAEMON)


@pytest.mark.parametrize(
    ("defect", "code"), [("packages", Code.SYS_PACKAGES), ("daemon", Code.SYS_DAEMON), ("health", Code.SYS_HEALTH)]
)
async def test_each_check_fails_on_its_own(
    system: SystemSupport, world: World, clock: TurnedClock, defect: str, code: Code
) -> None:
    world.faults.add(Fault(kind=defect))
    await system.start("c", RELEASE, "u")
    clock.time += 100
    checks = await system.verify("c", RELEASE, "u")
    assert [(check.name, check.code) for check in checks if not check.ok] == [(defect, code)]


@pytest.mark.parametrize(
    ("effect", "state", "exit_code"),
    [("fail", OperationState.FAILED, 100), ("retry", OperationState.RETRY, 75), ("lost", OperationState.LOST, None)],
)
async def test_an_installer_that_goes_wrong_is_told_apart(
    system: SystemSupport, world: World, clock: TurnedClock, effect: str, state: OperationState, exit_code: int | None
) -> None:
    world.faults.add(Fault(kind="upgrade", effect=effect))
    await system.start("c", RELEASE, "u")
    clock.time += 100
    progress = await system.poll("c", "u")
    assert (progress.state, progress.exit_code) == (state, exit_code)
    assert progress.lines == ("fetching", "unpacking", "configuring", f"ended: {state.value}")
    installer = (await system.verify("c", RELEASE, "u"))[0]
    assert (installer.name, installer.ok, installer.code) == ("installer", False, Code.SYS_INSTALL)


async def test_what_is_installed_already_is_not_needed(system: SystemSupport, world: World) -> None:
    world.install("c", {"nfvi-agent": "2.0.0", "nfvi-tools": "2.0.0"}, daemon="2.0.0")
    release = a_release()
    release = release.model_copy(update={"spec": release.spec.model_copy(update={"layers": {}})})
    await system.start("c", release, "u")
    assert (await system.poll("c", "u")).state is OperationState.NOT_NEEDED
    assert all(check.ok for check in await system.verify("c", release, "u"))


@pytest.mark.parametrize(
    ("more", "needed"), [({}, True), ({"impact": "none"}, False), ({"reboot": "never"}, False), ({"reboot": "always"}, True)]
)
async def test_a_reboot_is_needed_as_the_release_says(
    system: SystemSupport, clock: TurnedClock, more: dict[str, str], needed: bool
) -> None:
    release = a_release(**more)
    await system.start("c", release, "u")
    clock.time += 100
    assert (await system.reboot_needed("c", release))[0] is needed


async def test_a_node_does_not_answer_while_it_reboots(system: SystemSupport, clock: TurnedClock) -> None:
    before = await system.boot_id("c")
    assert before is not None
    await system.start("c", RELEASE, "u")
    clock.time += 100
    await system.reboot("c", before)
    assert await system.boot_id("c") is None
    for call in (system.inspect("c", RELEASE), system.poll("c", "u"), system.verify("c", RELEASE, "u")):
        with pytest.raises(TemporaryError):
            await call
    clock.time += 40
    assert await system.boot_id("c") not in (None, before)
    assert (await system.poll("c", "u")).state is OperationState.DONE
    assert await system.reboot_needed("c", RELEASE) == (False, "nothing waits for the next boot")


async def rolled_back(system: SystemSupport, clock: TurnedClock, release: Release) -> tuple[Check, ...]:
    backup = await system.backup("c", release, "b")
    await system.start("c", release, "u")
    clock.time += 100
    assert not all(check.ok for check in await system.verify_rollback("c", release, backup))
    await system.rollback("c", release, dict(backup), "r")
    clock.time += 50
    assert (await system.poll("c", "r")).state is OperationState.DONE
    return await system.verify_rollback("c", release, backup)


async def test_a_rollback_is_followed_and_checked_like_an_upgrade(system: SystemSupport, clock: TurnedClock) -> None:
    assert good(await rolled_back(system, clock, RELEASE)) == {"packages": True, "daemon": True, "health": True}


async def test_a_rollback_mends_what_a_bad_release_broke(system: SystemSupport, world: World, clock: TurnedClock) -> None:
    world.faults.add(Fault(kind="health", release="nfvi-agent/2.0.0"))
    assert all(check.ok for check in await rolled_back(system, clock, RELEASE))


async def test_a_backup_that_the_node_does_not_hold_is_refused(system: SystemSupport) -> None:
    backup = await system.backup("c", RELEASE, "b")
    for node, asked in (("b", backup), ("c", {"id": "x"}), ("c", {})):
        with pytest.raises(PermanentError) as caught:
            await system.rollback(node, RELEASE, asked, "r")
        assert caught.value.code is Code.SYS_ROLLBACK


def test_the_driver_can_do_everything(system: SystemSupport) -> None:
    assert (system.name, system.capabilities) == ("simulated", {"stage", "backup", "rollback", "reboot", "run"})
