"""An installer whose time is over, and that is at work still when its node is to be taken back."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from beds.nodes.bed import Kind
from beds.nodes.manager import Manager
from beds.nodes.packages import AGENT
from escalator.system_support.packages.driver import PackagesSystem
from escalator.system_support.port import OperationState, Progress

pytestmark = pytest.mark.nodes
_numbers = itertools.count(1)
IN_POSTINST = "postinst: slow work begins"
KINDS = pytest.mark.parametrize("kind", ["ns", "systemd"])


async def taken_back_under_way(manager: Manager, kind: Kind, version: str) -> tuple[PackagesSystem, str, Progress]:
    """A node on 1.0.0 that is taken back while the installer of that version is in the middle of its postinst."""
    node = f"timed-out-{next(_numbers)}"
    manager.bed.add_many([node], kind)
    driver, release = manager.driver(), await manager.release(version)
    assert (await manager.upgrade(driver, node, "1.0.0", "first")).state is OperationState.DONE
    await driver.stage(node, release)
    backup = await driver.backup(node, release, "keep")
    await driver.start(node, release, "up")
    while IN_POSTINST not in (found := await driver.poll(node, "up")).lines:
        await manager.clock.sleep(0.1)
    assert found.state is OperationState.RUNNING
    await driver.rollback(node, release, backup, "back")
    async with asyncio.timeout(150):
        back = await manager.ended(driver, node, "back")
    assert [check for check in await driver.verify_rollback(node, release, backup) if not check.ok] == [], back.lines
    assert back.state is OperationState.DONE, back.lines
    return driver, node, back


@KINDS
async def test_the_way_back_lets_an_installer_end_that_is_nearly_through(manager: Manager, kind: Kind) -> None:
    driver, node, back = await taken_back_under_way(manager, kind, "2.5.0")
    assert (await driver.poll(node, "up")).state is OperationState.DONE
    assert not any(line.startswith("ending ") for line in back.lines)
    assert manager.bed.exec(node, "dpkg", "--audit") == ""


@KINDS
async def test_an_installer_that_never_ends_is_ended_before_its_node_is_taken_back(manager: Manager, kind: Kind) -> None:
    driver, node, back = await taken_back_under_way(manager, kind, "2.6.0")
    assert (await driver.poll(node, "up")).state is OperationState.LOST
    assert [line for line in back.lines if line.startswith("ending ")] != []
    assert manager.bed.exec(node, "dpkg", "--audit") == ""
    assert "sleep 77777" not in manager.bed.exec(node, "ps", "-eo", "args")
    assert manager.bed.installed(node, AGENT) == "1.0.0"
