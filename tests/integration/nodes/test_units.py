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


MAKE = """\
cd /etc/systemd/system
made() { # NAME INSTALL LINE...: a service
  name=$1 install=$2; shift 2
  { echo '[Service]'; printf '%s\\n' "$@"; echo '[Install]'; echo "$install"; } > "$name.service"
}
printf '[Socket]\\nListenStream=/run/idle.sock\\n[Install]\\nWantedBy=sockets.target\\n' > idle.socket
printf '[Timer]\\nOnActiveSec=1h\\n[Install]\\nWantedBy=timers.target\\n' > timed.timer
made idle WantedBy=multi-user.target 'ExecStart=/bin/sleep 1'
made timed WantedBy=multi-user.target 'ExecStart=/bin/sleep 3000'
made once WantedBy=multi-user.target Type=oneshot RemainAfterExit=yes ExecStart=/bin/true
made short Alias=bus-short.service Type=simple BusName=org.escalator.Short 'ExecStart=/bin/sleep 3000'
made daemon Alias=bus-daemon.service Type=simple BusName=org.escalator.Daemon 'ExecStart=/bin/sleep 3000'
mkdir -p /usr/share/dbus-1/system-services
printf '[D-BUS Service]\\nName=org.escalator.Short\\nExec=/bin/false\\nSystemdService=bus-short.service\\nUser=root\\n' \\
  > /usr/share/dbus-1/system-services/org.escalator.Short.service
systemctl daemon-reload
systemctl enable -q idle.socket idle.service short.service daemon.service timed.timer timed.service once.service
systemctl start idle.socket timed.timer timed.service short.service daemon.service once.service idle.service
while systemctl is-active -q idle.service; do sleep 0.1; done
"""
"""A service that ended and whose socket listens, one that the bus starts, one that it does not, one of a timer, a oneshot."""


async def test_units_that_come_and_go_by_themselves_are_told_apart(manager: Manager) -> None:
    node = "passing"
    manager.bed.add_many([node], "systemd")
    driver, release = manager.driver(), await manager.release("1.0.0")
    manager.bed.exec(node, "sh", "-ec", MAKE)
    facts = await driver.inspect(node, release)
    made = {"idle.service", "short.service", "daemon.service", "timed.service", "once.service"}
    assert made.intersection(facts.units) == made - {"once.service"}
    assert made.intersection(facts.passing) == {"short.service", "timed.service"}
    manager.bed.exec(node, "systemctl", "stop", "idle.socket", "daemon.service")
    assert made.intersection((await driver.inspect(node, release)).units) == {"short.service", "timed.service"}
