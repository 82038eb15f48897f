"""Tacker 5.0.0 as it was published, with its plug-in for Fenix, through whole campaigns: nothing of it is changed.

It finds Escalator in a real Keystone's catalog, shows real tokens, and its VNF's servers are Nova's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from beds.joint.server import free_ports
from beds.openstack.bed import OpenStackBed
from beds.published.fixtures import HERE
from beds.vnfm.processes import VnfmProcess, vnfm_process
from integration.vnfm.published_site import NEW, OLD, PublishedSite, published_site, written

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

LAYOUT = {"cn-01": ("vdu-1", "vdu-2"), "cn-02": ("vdu-3",), "cn-03": ("vdu-4",)}
MOVES = ("PREPARE_MAINTENANCE", "PLANNED_MAINTENANCE")
KEPT = {"lead_time": 1, "recovery_time": 1, "max_impacted_members": 1}
"""What the VNF's configuration says: by default Tacker wants two minutes between a notice and what it is about."""


@contextmanager
def tacker(bed: OpenStackBed, folder: Path, python: Path, **maintenance: Any) -> Iterator[tuple[PublishedSite, VnfmProcess]]:
    """Tacker with one VNF, registered as the owner of the project."""
    (heat,) = free_ports(1)
    with published_site(bed, folder, LAYOUT, {"orchestration": f"http://127.0.0.1:{heat}/heat-api/v1/%(tenant_id)s"}) as site:
        project = site.tenant.project_id
        values = {
            **site.account, "project_id": project, "folder": str(folder), "servers": list(site.servers.values()), "heat": heat,
            "maintenance": {**KEPT, **maintenance}, "fenix": {"request_retry_wait": 1},
        }  # fmt: skip
        arguments = ("--config", str(written(folder / "tacker.json", values)))
        with vnfm_process(folder / "tacker.jsonl", *arguments, program=HERE / "tacker5.py", python=python) as process:
            address = f"http://127.0.0.1:{process.port}/v1.0/vnfs/5a1f5c1e-vnf/maintenance/{project}/abcd1234"
            site.server.ok("vnfm", "register", "tacker", "--dialect", "fenix", "--callback-uri", address, "--project", project)
            site.server.ok("vnfm", "test", "tacker")
            yield site, process


def calls(process: VnfmProcess, method: str, path: str = "") -> list[int]:
    """Statuses of its calls to Escalator at paths that begin so."""
    return [c["status"] for c in process.lines("called") if c["method"] == method and c["path"].startswith(f"/fenix/v1/{path}")]


def test_it_hears_declares_and_agrees_until_all_nodes_are_upgraded(
    fresh_openstack: OpenStackBed, tacker5: Path, tmp_path: Path
) -> None:
    with tacker(fresh_openstack, tmp_path, tacker5) as (site, process):
        mine = set(site.servers.values())
        process.control(constraints="create")
        fresh_openstack.cloud.wait(lambda: len(calls(process, "PUT")) > len(mine), "it does not declare everything")
        declared = site.server.ok("constraint", "list")
        assert {row["id"] for row in declared if row["kind"] == "instance"} == mine
        site.campaign()
        view = site.run()
        assert view["state"] == "completed", (view["reason"], process.lines()[-5:])
        assert set(site.versions().values()) == {NEW}
        heard = [event["traits"] for event in process.lines("event")]
        assert (heard[0]["state"], heard[-1]["state"]) == ("MAINTENANCE", "MAINTENANCE_COMPLETE")
        asked = Counter(i for said in heard if said["state"] in MOVES for i in said["instance_ids"])
        assert asked.keys() == mine
        done = Counter(i for said in heard if said["state"] == "INSTANCE_ACTION_DONE" for i in said["instance_ids"])
        assert done == asked
        assert {(notice["state"], notice["result"]) for notice in site.asked()} == {("answered", "ACK")}
        # It says yes about a migration twice; once when all begins, when each is done, and at the end.
        replies = len(calls(process, "PUT", "maintenance"))
        assert replies == 2 * asked.total() + done.total() + 2
        process.control(constraints="delete")
        fresh_openstack.cloud.wait(lambda: site.server.ok("constraint", "list") == [], "it does not withdraw everything")
        assert process.lines("failed") == []
        every = [call["status"] for call in process.lines("called") if call["path"].startswith("/fenix/")]
        assert set(every) == {200}


def test_while_its_vnf_is_busy_it_refuses_and_its_nodes_stay_as_they_are(
    fresh_openstack: OpenStackBed, tacker5: Path, tmp_path: Path
) -> None:
    with tacker(fresh_openstack, tmp_path, tacker5) as (site, process):
        process.control(status="PENDING_SCALE_OUT")
        site.campaign()
        site.run()
        assert {notice["result"] for notice in site.asked()} == {"NACK"}
        versions = site.versions()
        assert {versions[notice["node"]] for notice in site.asked()} == {OLD}
        assert site.events("instance.move") == []
