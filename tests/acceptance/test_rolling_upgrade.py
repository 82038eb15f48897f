"""The main job on a real cloud and real nodes, through the command line only."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import pytest

from acceptance.site import LAYOUT, PROJECTS, Site

pytestmark = [pytest.mark.openstack, pytest.mark.nodes, pytest.mark.timeout(900)]


def test_every_node_is_upgraded_while_instances_and_their_managers_are_cared_for(site: Site) -> None:
    site.campaign("agent-2-0")
    ended = site.server.cli("campaign", "start", "agent-2-0", "--wait", "--timeout", "800", timeout_s=820)
    view = site.view("agent-2-0")
    assert ended.code == 0, f"{view['reason']} {ended.err[-2000:]} {site.server.log.read_text()[-3000:]}"
    assert {task["state"] for task in view["tasks"]} == {"done"}
    assert site.bed.versions() == dict.fromkeys(LAYOUT, "2.0.0")
    site.check_restored()
    site.check_anti_affinity()
    events = site.events("agent-2-0")
    check_stops(site, events)
    check_moves(site, events, site.server.ok("campaign", "show", "agent-2-0")["plan"])
    check_cordons(events, most=2)
    check_notices(site)


def check_stops(site: Site, events: list[dict[str, Any]]) -> None:
    """Only what cannot move was stopped, and only between its node's cordon and its node's return."""
    stops = {e["object_id"]: e for e in events if e["action"] == "instance.stop"}
    starts = {e["object_id"]: e for e in events if e["action"] == "instance.start"}
    assert stops.keys() == starts.keys() == site.pinned
    for server in site.pinned:
        actions = [a["action"] for a in site.bed.openstack.cloud.actions(server)]
        assert sorted(actions) == ["create", "start", "stop"]
        node = site.before[server].node
        slot = [at(e) for e in events if e["node"] == node and e["action"] in ("node.cordon", "node.uncordon")]
        assert min(slot) <= at(stops[server]) <= at(starts[server]) <= max(slot)
    for server in site.before.keys() - site.pinned:
        assert not {"stop", "start"} & {a["action"] for a in site.bed.openstack.cloud.actions(server)}


def check_moves(site: Site, events: list[dict[str, Any]], plan_id: str) -> None:
    """Nothing moved onto a node that still had to be upgraded, unless the plan says so; nothing moved that need not."""
    plan = site.server.api(f"/v1/plans/{plan_id}")
    extra = {(m["instance"], m["to"]) for m in plan["moves"] if m["extra"]}
    upgraded: set[str] = set()
    moved: set[str] = set()
    for event in events:
        if event["action"] == "node.announce" and event["outcome"] == "done":
            upgraded.add(event["node"])
        if event["action"] == "instance.move" and event["outcome"] == "started":
            moved.add(event["object_id"])
            assert event["data"]["to"] in upgraded or (event["object_id"], event["data"]["to"]) in extra, event
    assert moved == site.before.keys() - site.pinned


def check_cordons(events: list[dict[str, Any]], most: int) -> None:
    """Never more nodes out of service than allowed."""
    out: set[str] = set()
    for event in events:
        if event["action"] == "node.cordon" and event["outcome"] == "done":
            out.add(event["node"])
        elif event["action"] == "node.uncordon" and event["outcome"] == "done":
            out.discard(event["node"])
        assert len(out) <= most, event


def check_notices(site: Site) -> None:
    """Each VNF manager heard of the campaign, then of each of its nodes with its instances there, then of the end."""
    for project, name in PROJECTS.items():
        heard = [line["body"] for line in site.vnfms[name].lines("notified")]
        kinds = [notice["notificationType"] for notice in heard]
        assert kinds[0] == "MaintenancePlanned"
        assert kinds[-1] == "CampaignCompleted"
        first: dict[str, set[str]] = {}
        available: defaultdict[str, int] = defaultdict(int)
        for notice in heard[1:-1]:
            node = notice["hostId"]
            if notice["notificationType"] == "HostMaintenanceUpcoming":
                resources = {r["resourceId"] for r in notice["affectedResources"]}
                assert {site.before[r].project for r in resources} == {project}
                first.setdefault(node, resources)
            else:
                assert notice["notificationType"] == "HostAvailable"
                assert node in first, "available before anything was announced"
                available[node] += 1
        assert available.keys() == first.keys()
        told = set().union(*first.values())
        assert told == {p.id for p in site.before.values() if p.project == project}


def at(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["at"])
