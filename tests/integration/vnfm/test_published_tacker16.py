"""Tacker 16.0.0 as it was published, with its fault notification, through a whole campaign: nothing of it is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from beds.joint.server import free_ports
from beds.openstack.bed import OpenStackBed
from beds.published.fixtures import HERE
from beds.vnfm.processes import vnfm_process
from integration.vnfm.published_site import NEW, published_site, secret, written

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

LAYOUT = {"cn-01": ("vnfc-1", "vnfc-2"), "cn-02": ("vnfc-3",)}
KEY = "0123456789abcdef"
CONFIGURATION = """
[DEFAULT]
transport_url = fake://
[v2_vnfm]
endpoint = http://127.0.0.1:PORT
[server_notification]
server_notification = true
timer_interval = 2
"""


def test_it_heals_every_server_away_until_all_nodes_are_upgraded(
    fresh_openstack: OpenStackBed, tacker16: Path, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    home = tmp_path / "home" / ".tacker"
    home.mkdir(parents=True)
    (home / "tacker.conf").write_text(CONFIGURATION.replace("PORT", str(port)))
    with published_site(fresh_openstack, tmp_path, LAYOUT, tacker={"auth": "key"}) as site:
        secret(tmp_path / "credentials" / "tacker", KEY)
        values = {
            **site.account, "home": str(home.parent), "port": port, "servers": list(site.servers.values()),
            "notifier": f"{site.server.vnfm_url}/tacker/{KEY}", "fault_id": ["1111"],
            "boot": {"imageRef": site.tenant.image(), "flavorRef": site.tenant.flavor("m1"), "networks": "none"},
        }  # fmt: skip
        words = ("--callback-uri", f"http://127.0.0.1:{port}", "--key", "tacker", "--project", site.tenant.project_id)
        site.server.ok("vnfm", "register", "tacker", "--dialect", "tacker", *words)
        arguments = ("--config", str(written(tmp_path / "tacker.json", values)))
        with vnfm_process(tmp_path / "tacker.jsonl", *arguments, program=HERE / "tacker16.py", python=tacker16) as process:
            site.server.ok("vnfm", "test", "tacker")
            process.control(do="instantiate_end", timeout_s=60)
            site.campaign()
            view = site.run()
            assert view["state"] == "completed", (view["reason"], process.lines()[-5:])
            assert set(site.versions().values()) == {NEW}
            process.control(do="terminate_start", timeout_s=60)
            assert process.lines("failed") == []
            # A management driver that was refused, or not understood, ends with 1.
            assert {line["code"] for line in process.lines("ran")} == {0}
            assert {(line["method"], line["status"]) for line in process.lines("notified")} == {("POST", 204)}
            deleted = [line["server"] for line in process.lines("deleted")]
        assert set(site.servers.values()) <= set(deleted)
        assert len(set(deleted)) == len(deleted)
        assert {(notice["state"], notice["result"]) for notice in site.asked()} == {("answered", "ACK")}
        assert site.events("instance.move") == []
