"""The manager is dead in the middle of a node: a person puts the cloud back with the break-glass sheet alone."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pytest

from acceptance.small import OPERATIONS, SmallSite
from beds.openstack.cloud import BedCloud

pytestmark = [pytest.mark.openstack, pytest.mark.nodes, pytest.mark.timeout(600)]


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
    began = "broken_cn-01_1_upgrade-1" in small.bed.nodes.exec("cn-01", "ls", OPERATIONS, check=False)
    small.server.start()
    check_respected(small, pinned, began=began)


def check_respected(site: SmallSite, pinned: str, *, began: bool) -> None:
    """The manager that comes back leaves the node to the person who put it back, and stops nothing again.

    Only where the software was being changed when it died does it see that through.
    """
    view = site.follow("broken", 0)
    (task,) = view["tasks"]
    assert site.asked(pinned) == ["stop", "start"]
    if not began:
        assert (task["state"], task["code"]) == ("skipped", "ESC-UPG-022"), task
        assert site.bed.versions()["cn-01"] == "1.0.0"
    site.check_restored()
    site.check_told("broken", "cn-01")


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
