"""A package that dpkg was unpacking when it was killed: apt takes it for installed, since it has the wanted version."""

from __future__ import annotations

import pytest

from beds.nodes.manager import Manager
from beds.nodes.packages import AGENT
from escalator.system_support.packages.driver import PackagesSystem
from escalator.system_support.port import OperationState

pytestmark = pytest.mark.nodes


async def upgraded(manager: Manager, node: str) -> PackagesSystem:
    """A node on 1.0.0."""
    manager.bed.add_many([node])
    driver = manager.driver()
    assert (await manager.upgrade(driver, node, "1.0.0", "first")).state is OperationState.DONE
    return driver


def break_off(manager: Manager, node: str) -> None:
    """Note in dpkg's own file what it notes before it takes the old files away."""
    broken = f"/^Package: {AGENT}$/,/^$/s/^Status: .*/Status: install reinstreq half-installed/"
    manager.bed.exec(node, "sed", "-i", broken, "/var/lib/dpkg/status")
    assert AGENT in manager.bed.exec(node, "dpkg", "--audit")


async def test_the_way_back_installs_it_anew(manager: Manager) -> None:
    driver = await upgraded(manager, "half-back")
    release = await manager.release("2.0.0")
    await driver.stage("half-back", release)
    backup = await driver.backup("half-back", release, "keep")
    break_off(manager, "half-back")
    await driver.rollback("half-back", release, backup, "back", forced=True)
    back = await manager.ended(driver, "half-back", "back")
    assert back.state is OperationState.DONE, back.lines
    assert [check for check in await driver.verify_rollback("half-back", release, backup) if not check.ok] == [], back.lines
    assert manager.bed.exec("half-back", "dpkg", "--audit") == ""


async def test_a_second_try_installs_it_anew(manager: Manager) -> None:
    driver = await upgraded(manager, "half-up")
    assert (await manager.upgrade(driver, "half-up", "2.0.0", "up")).state is OperationState.DONE
    break_off(manager, "half-up")
    again = await manager.upgrade(driver, "half-up", "2.0.0", "again")
    assert again.state is OperationState.DONE, again.lines
    assert manager.bed.installed("half-up", AGENT) == "2.0.0"
    assert manager.bed.exec("half-up", "dpkg", "--audit") == ""
