"""What goes wrong on real nodes and a real cloud: the node is put back, and one command tells why."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from acceptance.small import SmallSite

pytestmark = [pytest.mark.openstack, pytest.mark.nodes, pytest.mark.timeout(600)]
BAD = {"2.1.0": "ESC-SYS-006", "2.2.0": "ESC-SYS-008", "2.3.0": "ESC-SYS-009", "2.4.0": "ESC-UPG-008"}
"""What is wrong with each version, as the operator reads it."""


def check_put_back(site: SmallSite, view: dict[str, Any], code: str) -> dict[str, Any]:
    """The campaign waits for a person, its one node failed and is back as it was, and `campaign show` says all of that."""
    assert (view["state"], view["code"]) == ("suspended", "ESC-UPG-014"), view
    (task,) = view["tasks"]
    assert (task["state"], task["code"]) == ("rolled-back", code), task
    assert task["message"] in view["reason"]
    assert f"escalator node retry {view['name']} {task['node']}" in view["next"]
    assert set(site.bed.versions().values()) == {"1.0.0"}
    site.check_restored()
    site.check_told(view["name"], task["node"])
    site.server.ok("campaign", "abort", view["name"])
    site.follow(view["name"], 1)
    site.check_restored()
    found: dict[str, Any] = task
    return found


@pytest.mark.parametrize("version", BAD)
def test_a_node_whose_new_software_is_bad_is_back_in_service_on_its_old_one(small: SmallSite, version: str) -> None:
    name = f"bad-{version.replace('.', '-')}"
    small.begin(name, ("cn-01",), version)
    check_put_back(small, small.follow(name, 4), BAD[version])
    assert all(small.asked(server) == ["stop", "start"] for server in small.on("cn-01"))


def test_a_node_that_policy_holds_stays_out_of_service_until_a_person_gives_it_back(small: SmallSite) -> None:
    small.begin("hold", ("cn-01",), "2.1.0", failure={"on_node_failure": "rollback-hold"})
    (task,) = small.follow("hold", 4)["tasks"]
    assert (task["state"], task["code"]) == ("failed", "ESC-SYS-006")
    assert "held" in task["message"]
    service = small.bed.openstack.cloud.service("cn-01")
    assert (service["status"], service["disabled_reason"]) == ("disabled", "Escalator campaign hold: upgrade")
    assert set(small.bed.versions().values()) == {"1.0.0"}
    assert {s["status"] for s in small.servers().values()} == {"ACTIVE"}
    shown = small.server.ok("node", "show", "cn-01", "--campaign", "hold")
    assert (shown["maintenance"], shown["node_task"]["code"]) == (True, "ESC-SYS-006")
    (row,) = small.server.ok("restoration", "list")
    assert (row["kind"], row["node"]) == ("cordon", "cn-01")
    assert [shlex.split(command) for command in row["commands"]] == [
        ["openstack", "compute", "service", "set", "--enable", "cn-01", "nova-compute"]
    ]
    small.bed.openstack.cloud.set_service("cn-01", status="enabled")
    small.server.ok("campaign", "abort", "hold")
    small.follow("hold", 1)


def test_a_live_migration_that_fails_once_is_tried_again_and_stops_nothing(small: SmallSite) -> None:
    cloud = small.bed.openstack.cloud
    (moving,) = small.on("cn-02", "voice")
    small.bed.openstack.set_fault("cn-02", live_migration={"fail": "error", "seconds": 2, "only": [moving]})
    known = len(cloud.migrations(moving))
    small.begin("retried", ("cn-02", "cn-04"))
    small.until("retried", lambda _: any(m["status"] in ("error", "failed") for m in cloud.migrations(moving)[known:]))
    small.bed.openstack.set_fault("cn-02")
    small.follow("retried", 0)
    assert small.bed.versions()["cn-02"] == small.bed.versions()["cn-04"] == "2.0.0"
    assert small.asked(moving) == ["live-migration", "live-migration"]
    assert small.servers()[moving]["OS-EXT-SRV-ATTR:host"] == "cn-04"
    tries = [e["outcome"] for e in small.events("retried") if e["action"] == "instance.move" and e["object_id"] == moving]
    assert tries == ["started", "failed", "started", "done"]
    small.check_restored()


def test_a_vnf_manager_whose_credentials_stopped_working_pauses_the_campaign_and_loses_nothing(small: SmallSite) -> None:
    vnfm = small.vnfms["vnfm-moves"]
    vnfm.control(credential="escalator:another")
    small.campaign("locked-out", "2.0.0", scope={"select": {"names": ["cn-01"]}}, waves={"max_unavailable": 1})
    noted = [c for c in small.server.ok("campaign", "plan", "locked-out")["conditions"] if c["code"] == "ESC-PLN-013"]
    assert "vnfm-moves: ESC-VIM-004" in noted[0]["message"]
    refused = small.server.cli("campaign", "start", "locked-out", "-f", "json")
    assert (refused.code, "ESC-UPG-013" in refused.err) == (3, True)
    vnfm.control(credential="escalator:pass-moves")
    small.server.ok("campaign", "start", "locked-out")
    # The release is still on its way to the node: nobody has been asked yet.
    vnfm.control(credential="escalator:another")
    view = small.follow("locked-out", 4)
    assert (view["state"], view["code"]) == ("paused", "ESC-UPG-013")
    assert "vnfm-moves" in view["reason"]
    assert "ESC-VIM-004" in view["reason"]
    assert all(small.asked(server) == [] for server in small.before)
    assert {s["status"] for s in small.servers().values()} == {"ACTIVE"}
    vnfm.control(credential="escalator:pass-moves")
    small.server.ok("campaign", "resume", "locked-out")
    assert {task["state"] for task in small.follow("locked-out", 0)["tasks"]} == {"done"}
    assert all(small.asked(server) == ["stop", "start"] for server in small.on("cn-01"))
    small.check_restored()
    small.check_told("locked-out", "cn-01")


def test_a_node_whose_vnf_manager_refuses_is_left_out_and_in_service(small: SmallSite) -> None:
    small.vnfms["vnfm-moves"].control(behaviour="refuse")
    small.begin("refused", ("cn-01",))
    view = small.follow("refused", 0)
    (skipped,) = view["tasks"]
    assert (skipped["state"], skipped["code"]) == ("skipped", "ESC-UPG-011")
    assert "not tonight" in skipped["message"]
    assert "cn-01 skipped" in view["reason"]
    assert all(small.asked(server) == [] for server in small.before)
    assert set(small.bed.versions().values()) == {"1.0.0"}
    small.check_restored()
    small.check_told("refused", "cn-01")


def test_a_host_that_offers_less_to_the_cloud_after_its_reboot_is_put_back(small: SmallSite) -> None:
    small.begin("less", ("cn-04",))
    small.until("less", lambda events: any(e["action"] == "node.upgrade" for e in events))
    small.bed.set_facts("cn-04", vcpus=32)
    try:
        small.until("less", lambda events: any(e["action"] == "node.verify" and e["outcome"] == "failed" for e in events))
    finally:
        # It is the new software's doing: with the old one the host offers what it did.
        small.bed.set_facts("cn-04")
        small.bed.openstack.restart_compute("cn-04")
    failed = check_put_back(small, small.follow("less", 4), "ESC-UPG-008")
    assert "pcpu 128 of 256" in failed["message"]  # as Placement counts: four to one
