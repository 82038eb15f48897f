"""The manager is dead in the middle of a node: a person puts the cloud back with the break-glass sheet alone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pytest

from acceptance.small import SmallSite
from beds.openstack.cloud import BedCloud

pytestmark = [pytest.mark.openstack, pytest.mark.nodes, pytest.mark.timeout(300)]


def test_the_break_glass_sheet_puts_the_cloud_back_without_the_manager(small: SmallSite) -> None:
    cloud = small.bed.openstack.cloud
    (pinned,) = small.on("cn-01")
    small.begin("broken", ("cn-01",))
    cloud.wait(lambda: cloud.server(pinned)["status"] == "SHUTOFF", "the instance that cannot move was not stopped", 120)
    small.server.kill()
    service = cloud.service("cn-01")
    assert (service["status"], service["disabled_reason"]) == ("disabled", "Escalator campaign broken: upgrade")
    sheet = (small.server.state / "break-glass.txt").read_text()
    commands = [line for line in sheet.splitlines() if line and not line.startswith("#")]
    assert len(commands) == 2
    assert "broken" in sheet
    for _ in range(2):  # each is safe to repeat
        for command in commands:
            run_by_hand(cloud, shlex.split(command))
        cloud.wait_state(pinned, "ACTIVE")
    after = cloud.service("cn-01")
    before = small.services["cn-01"]
    assert (after["status"], after["disabled_reason"]) == (before["status"], before["disabled_reason"])
    assert {raw["status"] for raw in small.servers().values()} == {"ACTIVE"}


def run_by_hand(cloud: BedCloud, words: Sequence[str]) -> None:
    """What the OpenStack client does for exactly these commands; any other one is refused."""
    match words:
        case ["openstack", "compute", "service", "set", "--enable", host, "nova-compute"]:
            cloud.set_service(host, status="enabled")
        case ["openstack", "server", "start", server]:
            if cloud.server(server)["status"] != "ACTIVE":  # the client would get a conflict, which changes nothing
                cloud.act(server, "os-start")
        case _:
            raise AssertionError(f"nobody could run this: {shlex.join(words)}")
