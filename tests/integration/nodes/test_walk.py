"""One node walks through every version, good and bad, and back."""

from __future__ import annotations

import pytest

from beds.nodes.bed import Kind
from beds.nodes.manager import Manager
from beds.nodes.packages import AGENT, LIBS
from escalator.model.codes import Code
from escalator.system_support.port import Check, OperationState

pytestmark = pytest.mark.nodes


def wrong(checks: tuple[Check, ...]) -> dict[str, Code | None]:
    return {check.name: check.code for check in checks if not check.ok}


@pytest.mark.parametrize("kind", ["ns", "systemd"])
async def test_a_node_walks_through_good_and_bad_versions_and_comes_back_from_each(manager: Manager, kind: Kind) -> None:
    node = f"walk-{kind}"
    manager.bed.add_many([node], kind)
    driver = manager.driver()
    first, second = await manager.release("1.0.0"), await manager.release("2.0.0")

    assert (await manager.upgrade(driver, node, "1.0.0", "walk/1")).state is OperationState.DONE
    assert wrong(await driver.verify(node, first, "walk/1")) == {}
    assert await driver.reboot_needed(node, first) == (False, "no package asks for it and the newest kernel runs")
    before = await driver.inspect(node, first)
    assert (before.packages, before.daemon) == ({AGENT: "1.0.0", LIBS: "1.0.0"}, "1.0.0")
    assert before.offers["test_device"] == 8
    oldest = await driver.backup(node, first, "walk/backup-1")

    assert (await manager.upgrade(driver, node, "2.0.0", "walk/2")).state is OperationState.DONE
    assert wrong(await driver.verify(node, second, "walk/2")) == {}
    assert await driver.reboot_needed(node, second) == (True, f"asked for by {AGENT}")
    good = await driver.backup(node, second, "walk/backup-2")

    expected = {
        "2.1.0": (OperationState.FAILED, {"installer": Code.SYS_INSTALL, "packages": Code.SYS_PACKAGES}),
        "2.2.0": (OperationState.DONE, {"daemon": Code.SYS_DAEMON, "health": Code.SYS_HEALTH}),
        "2.3.0": (OperationState.DONE, {"health": Code.SYS_HEALTH}),
        "2.4.0": (OperationState.DONE, {}),
    }
    for version, (state, failures) in expected.items():
        release, operation = await manager.release(version), f"walk/{version}"
        assert (await manager.upgrade(driver, node, version, operation)).state is state, version
        found = wrong(await driver.verify(node, release, operation))
        # After the failed postinst the old daemon still runs and is healthy: dpkg's own word is the one that counts.
        assert {**failures, **({"daemon": Code.SYS_DAEMON} if version == "2.1.0" else {})} == found, version
        fewer = (await driver.inspect(node, release)).offers["test_device"] < before.offers["test_device"]
        assert fewer == (version == "2.4.0")
        await driver.rollback(node, release, good, f"walk/back-{version}")
        back = await manager.ended(driver, node, f"walk/back-{version}")
        assert (back.state, back.exit_code) == (OperationState.DONE, 0), back.lines
        assert wrong(await driver.verify_rollback(node, release, good)) == {}, version

    await driver.rollback(node, second, oldest, "walk/back-to-first")
    assert (await manager.ended(driver, node, "walk/back-to-first")).state is OperationState.DONE
    assert wrong(await driver.verify_rollback(node, second, oldest)) == {}
    after = await driver.inspect(node, first)
    assert (after.packages, after.daemon, after.offers) == (before.packages, before.daemon, before.offers)
    assert manager.bed.exec(node, "cat", "/var/lib/escalator-test-agent/state.json") == '{"schema": 1}'
    assert manager.bed.exec(node, "cat", "/etc/escalator-test-agent/agent.conf").endswith("format = 1\n")


async def test_without_its_state_the_old_daemon_would_not_run(manager: Manager) -> None:
    """What the rollback's order is for: a pinned downgrade alone leaves the old daemon dead."""
    node = "downgrade"
    manager.bed.add_many([node])
    driver = manager.driver()
    await manager.upgrade(driver, node, "2.0.0", "down/2")
    assert (await manager.upgrade(driver, node, "1.0.0", "down/1")).state is OperationState.DONE
    assert set(wrong(await driver.verify(node, await manager.release("1.0.0"), "down/1"))) == {"daemon", "health"}


@pytest.mark.parametrize("kind", ["ns", "systemd"])
async def test_after_its_reboot_the_node_runs_the_release_and_needs_no_other(manager: Manager, kind: Kind) -> None:
    node = f"reboot-{kind}"
    manager.bed.add_many([node], kind)
    driver, second = manager.driver(), await manager.release("2.0.0")
    await manager.upgrade(driver, node, "2.0.0", "up")
    before = await driver.inspect(node, second)
    assert (await driver.reboot_needed(node, second))[0]
    await driver.reboot(node, before.boot_id)
    while await driver.boot_id(node) in (None, before.boot_id):
        await manager.clock.sleep(0.05)
    assert (await driver.poll(node, "up")).state is OperationState.DONE
    assert wrong(await driver.verify(node, second, "up")) == {}
    after = await driver.inspect(node, second)
    assert after.boot_id == manager.bed.boot_id(node)
    assert (after.packages, after.daemon, after.offers) == (before.packages, before.daemon, before.offers)
    assert not (await driver.reboot_needed(node, second))[0]
    always = second.model_copy(update={"spec": second.spec.model_copy(update={"reboot": "always"})})
    assert (await driver.reboot_needed(node, always))[0]


async def test_a_removed_kernel_that_runs_wants_a_reboot_and_is_not_the_way_back(manager: Manager) -> None:
    node = "kernel"
    manager.bed.add_many([node])
    driver, first = manager.driver(), await manager.release("1.0.0")
    await manager.upgrade(driver, node, "1.0.0", "kernel/1")
    backup = await driver.backup(node, first, "kernel/backup")
    kernel = manager.bed.exec(node, "uname", "-r").strip()
    assert backup["kernel"] == kernel
    later = {**backup, "kernel": "the one before"}
    manager.bed.exec(node, "mkdir", "-p", f"/boot/vmlinuz-{kernel}.0", f"/lib/modules/{kernel}")
    assert await driver.reboot_needed(node, first) == (True, f"kernel {kernel}.0 is installed, {kernel} runs")
    assert set(wrong(await driver.verify_rollback(node, first, later))) == {"packages"}
    assert wrong(await driver.verify_rollback(node, first, backup)) == {}
    manager.bed.exec(node, "mkdir", f"/lib/modules/{kernel}/kernel")
    assert not (await driver.reboot_needed(node, first))[0]
    assert wrong(await driver.verify_rollback(node, first, later)) == {}
