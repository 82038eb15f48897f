"""The acceptance scenario of OPNFV Doctor: a site without any room, an active and a standby server, the rest without a peer.

Its VNF manager speaks Fenix, gives up two servers for the time of the upgrade, and moves the active role itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from acceptance.conftest import _Kept
from acceptance.site import Placed, secret, settings_of
from beds.joint.bed import JointBed
from beds.joint.server import ServerProcess
from beds.openstack.catalog import catalogued
from beds.vnfm.processes import DOCTOR_PEER, VnfmProcess, vnfm_process

pytestmark = [pytest.mark.openstack, pytest.mark.nodes, pytest.mark.timeout(1500)]

COMPUTES = ("cn-01", "cn-02", "cn-03")
LAYOUT = {"cn-01": ("ha-1", "other-1"), "cn-02": ("ha-2", "other-3"), "cn-03": ("other-2", "other-4")}
"""What is given up (the last two others) is on two hosts: none is empty then, and one has to be made so."""
HALF_MIB = 130_000
"""Two servers of this size fill a compute."""
LIMIT_S = 20 * 60
PROBE_S = 0.05


def test_a_full_site_is_upgraded_within_twenty_minutes(
    joint_bed: JointBed, kept_small: _Kept, release_folders: dict[str, Path], tmp_path: Path
) -> None:
    kept_small.end()
    joint_bed.reset()
    with ExitStack() as stack:
        before, group = full_site(joint_bed)
        server = ServerProcess(tmp_path, {**settings_of(joint_bed, tmp_path), **more_settings()})
        stack.enter_context(catalogued(joint_bed.openstack.clouds_yaml, {"maintenance": f"{server.vnfm_url}/fenix/v1"}))
        peer = stack.enter_context(doctor(joint_bed, group, tmp_path, stack, server))
        active = first_active(peer, before)
        began = time.monotonic()
        campaign(server, tmp_path, release_folders)
        ended = server.cli("campaign", "start", "doctor", "--wait", "--timeout", str(LIMIT_S), timeout_s=LIMIT_S + 60)
        took_s = time.monotonic() - began
        view = server.ok("campaign", "show", "doctor")
        assert ended.code == 0, f"{view['reason']} {ended.err[-2000:]} {peer.lines()[-5:]}"
        assert took_s < LIMIT_S
        assert {task["node"]: task["state"] for task in view["tasks"]} == dict.fromkeys(COMPUTES, "done"), view["tasks"]
        versions = joint_bed.versions()
        assert {versions[node] for node in COMPUTES} == {"2.0.0"}
        events = server.api("/v1/events?campaign=doctor&limit=5000")
        check_room(joint_bed, peer, events, before)
        check_switched_first(peer, events, active)
        check_interruption(server, before)


def full_site(bed: JointBed) -> tuple[dict[str, Placed], str]:
    """Three computes with no room for another server; the others are out of service for somebody else's reason."""
    cloud = bed.openstack.cloud
    for host in bed.names:
        if host not in COMPUTES:
            cloud.set_service(host, status="disabled", disabled_reason="not part of this site")
    tenant = bed.tenant("doctor")
    flavor = cloud.make_flavor({}, vcpus=4, ram=HALF_MIB)
    group = tenant.make_group("anti-affinity")
    found = {}
    for host, names in LAYOUT.items():
        for name in names:
            more: dict[str, Any] = {"group": group} if name.startswith("ha") else {}
            key = tenant.boot(host, flavor=flavor, name=name, wait=False, metadata={"vnf": "doctor-app"}, **more)
            found[key] = Placed(key, "doctor", host, pinned=False, group=name if more else None)
    for key in found:
        cloud.wait_state(key, "ACTIVE")
    one_more = tenant.boot(None, flavor=flavor, wait=False)
    cloud.wait_state(one_more, "ERROR")
    cloud.delete(one_more)
    return found, group


def more_settings() -> dict[str, Any]:
    return {"vim": {"delivery_attempts": 2, "retry_s": 0.5, "fenix": {"auth": "keystone"}}}


@contextmanager
def doctor(bed: JointBed, group: str, folder: Path, stack: ExitStack, server: ServerProcess) -> Iterator[VnfmProcess]:
    """The VNF manager, registered at a server that probes its service."""
    entry = yaml.safe_load(bed.openstack.clouds_yaml.read_text())["clouds"]["bed"]["auth"]
    cloud = {key: entry[key] for key in ("auth_url", "username", "password")} | {"project_name": "doctor"}
    cloud["auth_url"] = cloud["auth_url"].removesuffix("/v3")
    secret(folder / "cloud.json", json.dumps(cloud))
    server.start()
    stack.callback(server.stop)
    arguments = ("--cloud", str(folder / "cloud.json"), "--group", group, "--lead-time", "5")
    with vnfm_process(folder / "doctor.jsonl", *arguments, program=DOCTOR_PEER) as peer:
        assert {line["status"] for line in peer.lines("declared")} == {200}, peer.lines("declared")
        server.stop()
        settings = yaml.safe_load(server.settings.read_text())
        probe = {"vnf": "doctor-app", "kind": "tcp", "target": f"127.0.0.1:{peer.service}", "interval_s": PROBE_S}
        settings["probes"] = {"floating-address": probe}
        server.settings.write_text(yaml.safe_dump(settings))
        server.start()
        project = bed.tenant("doctor").project_id
        server.ok(
            "vnfm", "register", "doctor", "--dialect", "fenix", "--project", project,
            "--callback-uri", f"http://127.0.0.1:{peer.port}/maintenance",
        )  # fmt: skip
        yield peer


def campaign(server: ServerProcess, folder: Path, releases: dict[str, Path]) -> None:
    for version in ("1.0.0", "2.0.0"):
        server.ok("release", "import", str(releases[version]))
    spec = {
        "release": "nfvi-agent/2.0.0",
        "mode": "smooth",
        "scope": {"select": {"names": list(COMPUTES)}},
        "waves": {"max_unavailable": 1, "max_extra_moves": 1},
        "estimates": {"upgrade_s": 30, "migration": {"base_s": 2, "s_per_gib": 0.01}},
        "workloads": {"notify": {"reply_timeout_s": 60}, "scale_in": "ask"},
        "node": {"timeouts": {"vacate_s": 240, "upgrade_s": 120, "reboot_s": 120, "verify_s": 120}},
    }
    file = folder / "doctor.yaml"
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "doctor"}, "spec": spec}
    file.write_text(yaml.safe_dump(document))
    server.ok("campaign", "create", str(file))
    planned = server.cli("campaign", "plan", "doctor")
    assert planned.code == 3, planned.err
    assert "VNF managers are asked to scale in" in planned.out + planned.err


def first_active(peer: VnfmProcess, before: dict[str, Placed]) -> str:
    """The server that has the active role at the beginning."""
    assert peer.lines("switched") == []
    return min(key for key, placed in before.items() if placed.group)


def check_room(bed: JointBed, peer: VnfmProcess, events: list[dict[str, Any]], before: dict[str, Placed]) -> None:
    """Room was asked for before the first node, nothing else was lost, and the VNF is as large as before."""
    states = [line["state"] for line in peer.lines("event")]
    assert states[:2] == ["MAINTENANCE", "SCALE_IN"]
    assert (states.count("SCALE_IN"), states[-1]) == (1, "MAINTENANCE_COMPLETE")
    (given,) = peer.lines("scaled-in")
    made = [line["server"] for line in peer.lines("scaled-out")]
    cloud = bed.openstack.cloud
    for key in made:
        cloud.wait_state(key, "ACTIVE")
    assert set(cloud.servers()) == before.keys() - set(given["servers"]) | set(made)
    assert len(made) == len(given["servers"])
    assert {cloud.server(key)["status"] for key in cloud.servers()} == {"ACTIVE"}
    first = next(e for e in events if e["action"] == "node.cordon")
    assert given["at"] < datetime.fromisoformat(first["at"]).timestamp()
    assert {line["status"] for line in peer.lines("replied")} == {200}
    (proved,) = [e for e in events if e["action"] == "campaign.verify"]
    assert (proved["outcome"], "0 violations" in proved["message"]) == ("done", True), proved["message"]


def check_switched_first(peer: VnfmProcess, events: list[dict[str, Any]], active: str) -> None:
    """Whenever a server with the active role moved, it had given the role away before; and at least one did."""
    switches = {line["at"]: line for line in peer.lines("switched")}
    assert switches
    moves = [e for e in events if e["action"] == "instance.move" and e["outcome"] == "started"]
    for event in moves:
        at = datetime.fromisoformat(event["at"]).timestamp()
        holder = active
        for when in sorted(switches):
            holder = switches[when]["active"] if when <= at else holder
        assert event["object_id"] != holder, f"{holder} was moved while it was active"
    assert {line["left"] for line in switches.values()} <= {e["object_id"] for e in moves}


def check_interruption(server: ServerProcess, before: dict[str, Placed]) -> None:
    """What each server's move took is measured, and what the service was away, as it is looked at from outside."""
    rows = {row["name"]: row for row in server.ok("workload", "list", "doctor", "--by", "instance")}
    pair = [rows[key] for key, placed in before.items() if placed.group and key in rows]
    assert len(pair) == 2
    assert all(0 < row["longest_s"] < row["tolerates_s"] == 120 for row in pair), pair
    outages = server.ok("workload", "outages", "doctor")
    assert outages
    assert all(0.1 <= outage["seconds"] <= 5 for outage in outages), outages
