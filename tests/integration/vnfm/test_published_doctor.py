"""OPNFV Doctor's two application managers as they were published, on a site without any room: nothing of them is changed.

Needs a checkout of Doctor, which the variable DOCTOR_CHECKOUT names.
"""

from __future__ import annotations

import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from beds.joint.server import free_ports
from beds.openstack.bed import OpenStackBed
from beds.openstack.cloud import BedCloud
from beds.published.fixtures import HERE
from beds.vnfm.processes import VnfmProcess, vnfm_process
from integration.vnfm.published_site import NEW, OLD, PublishedSite, published_site, written

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(1500)]

COMPUTES = ("cn-01", "cn-02", "cn-03")
LAYOUT = {
    "cn-01": ("doctor_ha_app_1", "doctor_nonha_app_1"),
    "cn-02": ("doctor_ha_app_2", "doctor_nonha_app_3"),
    "cn-03": ("doctor_nonha_app_2", "doctor_nonha_app_4"),
}
"""What is given up (the last two others) is on two hosts: none is empty then, and one has to be made so."""
HALF_MIB = 130_000
"""Two servers of this size fill a compute."""
WORKFLOWS = {"vnfm": "vnf", "sample": "default"}


def full(tenant: BedCloud) -> Mapping[str, Mapping[str, Any]]:
    """Servers of half a host, two of which are a pair."""
    flavor = tenant.make_flavor({}, vcpus=4, ram=HALF_MIB)
    pair = tenant.make_group("anti-affinity", "doctor_ha_app_group")
    names = [name for row in LAYOUT.values() for name in row]
    return {name: {"flavor": flavor, **({"group": pair} if "_ha_" in name else {})} for name in names}


@contextmanager
def running(
    kind: str, bed: OpenStackBed, folder: Path, published: tuple[Path, str]
) -> Iterator[tuple[PublishedSite, VnfmProcess]]:
    """One of them, registered as the owner of the project."""
    python, checkout = published
    with published_site(bed, folder, LAYOUT, more=full) as site:
        # Not before: a host that has only just started may not hear of it within the time that Nova gives it.
        bed.cloud.set_service("cn-04", status="disabled", disabled_reason="not part of this site")
        port, front = free_ports(2)
        model = site.tenant.server(site.servers["doctor_nonha_app_1"])
        flavor = site.tenant.flavor(model["flavor"]["original_name"])
        values = {
            "kind": kind, "port": port, "front": front, "project_name": site.account["project_name"],
            "identity": bed.layout.url("keystone"), "compute": bed.layout.url("nova"), "network": bed.layout.url("neutron"),
            "boot": {"imageRef": model["image"]["id"], "flavorRef": flavor},
        }  # fmt: skip
        environment = {
            "PYTHONPATH": checkout, "OS_AUTH_URL": f"http://127.0.0.1:{front}/identity/v3",
            "OS_USERNAME": site.account["username"], "OS_PASSWORD": site.account["password"],
        }  # fmt: skip
        arguments = ("--config", str(written(folder / "doctor.json", values)))
        log, program = folder / "doctor.jsonl", HERE / "doctor.py"
        with vnfm_process(log, *arguments, program=program, python=python, **environment) as process:
            site.server.ok(
                "vnfm", "register", "doctor", "--dialect", "fenix", "--workflow", WORKFLOWS[kind],
                "--callback-uri", f"http://127.0.0.1:{port}/maintenance", "--project", site.tenant.project_id,
            )  # fmt: skip
            yield site, process


@pytest.mark.parametrize("kind", ["vnfm", "sample"])
def test_it_gives_up_room_switches_over_and_is_as_large_as_before(
    kind: str, fresh_openstack: OpenStackBed, doctor: tuple[Path, str], tmp_path: Path
) -> None:
    with running(kind, fresh_openstack, tmp_path, doctor) as (site, process):
        before = set(site.servers.values())
        declared = {row["id"] for row in site.server.ok("constraint", "list") if row["kind"] == "instance"}
        assert declared == (before if kind == "vnfm" else set())
        scope = {"select": {"names": list(COMPUTES)}}
        notify = {"notify": {"reply_timeout_s": 90}, "scale_in": "ask"}
        estimates = {"upgrade_s": 30, "migration": {"base_s": 2, "s_per_gib": 0.01}}
        waves = {"max_unavailable": 1, "max_extra_moves": 1}
        site.campaign(planned=3, scope=scope, workloads=notify, estimates=estimates, waves=waves)
        view = site.run()
        assert view["state"] == "completed", (view["reason"], process.lines("said")[-8:])
        versions = site.versions()
        assert {host: versions[host] for host in COMPUTES} == dict.fromkeys(COMPUTES, NEW)
        assert versions["cn-04"] == OLD
        # The campaign does not wait for it to scale out; its last word comes when it has.
        last = "ACK_MAINTENANCE_COMPLETE"
        site.bed.cloud.wait(lambda: any(e["outcome"] == last for e in site.events("fenix.reply")), "it does not end", 180)
        check_states(process)
        check_room(site, process, before)
        check_switched_first(site, process)
        urllib.request.urlopen(f"http://127.0.0.1:{process.service}/stop", b"", timeout=60).close()
        assert site.server.ok("constraint", "list") == []
        calls = [line for line in process.lines("called") if line["path"].startswith("/fenix/")]
        assert {line["status"] for line in calls} == {200}
        assert not [line for line in process.lines("said") if line["level"] == "ERROR"]


def check_states(process: VnfmProcess) -> None:
    """It heard the session's begin, the request for room once, something about each node, and the end."""
    texts = [line["text"].partition(" state: ") for line in process.lines("said")]
    states = [state for _, found, state in texts if found]
    assert (states[:2], states[-1]) == (["MAINTENANCE", "SCALE_IN"], "MAINTENANCE_COMPLETE")
    assert Counter(states)["SCALE_IN"] == 1
    assert "PLANNED_MAINTENANCE" in states


def check_room(site: PublishedSite, process: VnfmProcess, before: set[str]) -> None:
    """Two servers were given up before the first host was touched, and two others are there in the end."""
    down, up = process.lines("scaled")
    assert (len(down["gone"]), down["to"], up["to"]) == (2, 2, 4)
    first = min(datetime.fromisoformat(event["at"]).timestamp() for event in site.events("node.cordon"))
    assert down["at"] < first
    now = {server for server in site.tenant.servers() if site.tenant.server(server)["status"] == "ACTIVE"}
    assert now & before == before - set(down["gone"])
    assert len(now) == len(before)


def check_switched_first(site: PublishedSite, process: VnfmProcess) -> None:
    """Whenever a server with the floating address moved, it had given it away before; and at least one did."""
    switches = process.lines("switched")
    assert switches
    holders = [(0.0, switches[0]["left"]), *((line["at"], line["active"]) for line in switches)]
    for event in site.events("instance.move"):
        if event["outcome"] == "started":
            at = datetime.fromisoformat(event["at"]).timestamp()
            assert event["object_id"] != [holder for when, holder in holders if when <= at][-1]
