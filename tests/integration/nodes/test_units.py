"""Service units of a node where systemd is in charge: what is enabled and runs, and what does not any more."""

from __future__ import annotations

import pytest

from beds.nodes.manager import Manager

pytestmark = pytest.mark.nodes
AGENT = "escalator-test-agent.service"


async def test_a_unit_that_is_stopped_or_not_enabled_any_more_is_not_among_those_that_run(manager: Manager) -> None:
    node = "units"
    manager.bed.add_many([node], "systemd")
    driver, release = manager.driver(), await manager.release("1.0.0")
    await manager.upgrade(driver, node, "1.0.0", "first")

    async def units() -> tuple[str, ...]:
        return (await driver.inspect(node, release)).units

    before = await units()
    assert AGENT in before
    assert "ssh.service" in before
    manager.bed.exec(node, "systemctl", "stop", AGENT)
    assert set(before) - set(await units()) == {AGENT}
    manager.bed.exec(node, "systemctl", "start", AGENT)
    assert await units() == before
    manager.bed.exec(node, "systemctl", "disable", "-q", AGENT)
    assert set(before) - set(await units()) == {AGENT}
