"""Maintenance sessions as administrators of OpenStack Fenix start them, on a whole Escalator over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.progress import CampaignState
from escalator.settings import read_settings
from escalator.upgrade_manager.sessions import MEMO
from integration.api.running import CAMPAIGN
from integration.vnfm.fenix_site import DOCTOR, TENANT, Site, opened_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened_site(tmp_path) as opened:
        yield opened


async def test_a_session_runs_from_its_start_to_its_end(site: Site) -> None:
    started = await site.start(workflow="default", actions=[{"plugin": "dummy", "type": "host"}], unknown="key")
    assert (started.status_code, list(started.json())) == (200, ["session_id"])
    session = started.json()["session_id"]
    assert (await site.http.get("/maintenance")).json() == {"sessions": [session]}
    again = await site.start()
    assert (again.status_code, again.json()) == (509, {"error": "Too many sessions"})
    row = await site.until(CampaignState.COMPLETED)
    shown = await site.http.get(f"/maintenance/{session}")
    assert (shown.status_code, shown.json()) == (200, {"session_id": session, "state": "MAINTENANCE_DONE"})
    assert len([task for task in (await site.cloud.campaigns.show(row.name)).tasks if task.state.value == "done"]) == 4
    detail = (await site.http.get(f"/maintenance/{session}/detail")).json()
    assert (detail["state"], detail["percent_done"], detail["metadata"]) == ("MAINTENANCE_DONE", 100, DOCTOR["metadata"])
    assert [host["maintained"] for host in detail["hosts"]] == [True] * 4
    removed = await site.http.delete(f"/maintenance/{session}")
    assert (removed.status_code, removed.json()) == (200, {})
    assert (await site.http.get("/maintenance")).json() == {"sessions": []}
    assert (await site.http.get(f"/maintenance/{session}")).status_code == 404
    assert (await site.http.delete(f"/maintenance/{session}")).status_code == 404
    events = await site.cloud.ctx.store.events.read(0, limit=5000)
    assert [event.outcome for event in events if event.action == "fenix.session"] == ["started", "removed"]


async def test_the_operators_commands_run_in_the_place_of_plug_ins(site: Site) -> None:
    actions = [
        {"plugin": "bios", "type": "compute"},
        {"plugin": "firmware", "type": "host"},
        {"plugin": "dummy", "type": "post"},
        {},
    ]
    started = await site.start(actions=actions)
    assert started.status_code == 200, started.text
    row = await site.until(CampaignState.COMPLETED)
    assert row.document["spec"]["node"]["hooks"]["maintenance"] == ["flash-nic", "flash-bios"]
    events = await site.cloud.ctx.store.events.read(0, limit=5000)
    ran = [(e.node, e.object_id, e.outcome) for e in events if e.action == "node.command"]
    nodes = sorted({node for node, *_ in ran})
    assert len(nodes) == 4
    assert [r for r in ran if r[0] == nodes[0]] == [(nodes[0], "flash-nic", "done"), (nodes[0], "flash-bios", "done")]


async def test_only_the_hosts_that_are_named_are_touched(site: Site) -> None:
    nodes = sorted(node.id for node in site.cloud.simulation.world.inventory().nodes)
    for instance in site.cloud.simulation.world.inventory().instances:
        if instance.node == nodes[0]:
            site.cloud.simulation.world.tenants.delete(instance.id)
    started = await site.start(hosts=nodes[:1])
    assert started.status_code == 200, started.text
    row = await site.until(CampaignState.COMPLETED)
    assert [task.node for task in (await site.cloud.campaigns.show(row.name)).tasks] == nodes[:1]


async def test_a_removed_session_is_aborted_and_its_hosts_are_back(site: Site) -> None:
    session = (await site.start()).json()["session_id"]
    assert (await site.http.delete(f"/maintenance/{session}")).status_code == 200
    await site.until(CampaignState.ABORTED)
    assert await site.cloud.ctx.store.restorations.open() == []


async def test_an_update_lets_a_session_go_on_that_waits(site: Site) -> None:
    session = (await site.start()).json()["session_id"]
    (row,) = await site.campaigns()
    await site.cloud.campaigns.pause(row.name)
    updated = await site.http.put(f"/maintenance/{session}", json={"state": "anything"})
    assert updated.status_code == 200
    assert updated.json() == {"maintenance": f"{site.http.base_url}maintenance/{session}", "session_id": session}
    await site.until(CampaignState.COMPLETED)
    assert (await site.http.put("/maintenance/unknown", json={})).status_code == 404


async def test_a_session_waits_for_its_time(site: Site) -> None:
    await site.start(maintenance_at="2999-01-01 00:00:00")
    (row,) = await site.campaigns()
    assert row.document["spec"]["not_before"].startswith("2999-01-01T00:00:00")


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"download": ["http://example.net/package.tar.gz"]}, "download"),
        ({"actions": [{"plugin": "dummy", "type": "pre"}, {"plugin": "nfv", "type": "host"}]}, "actions[1]"),
        ({"actions": [{"plugin": "firmware", "type": "network"}]}, "actions[0]"),
        ({"actions": [{"plugin": "firmware", "type": "pre", "metadata": "2"}]}, "actions[0].metadata"),
        ({"actions": [{"plugin": "firmware", "metadata": {"is": "x" * 4100}}]}, "actions[0].metadata"),
        ({"actions": [{"plugin": "firmware", "type": "controller"}]}, "actions"),
        ({"workflow": "vnf"}, "workflow"),
        ({"maintenance_at": "tomorrow"}, "maintenance_at"),
        ({"hosts": ["control-1"]}, "hosts"),
        ({"metadata": {"hint": "it's"}}, "metadata"),
    ],
)
async def test_what_cannot_be_done_is_refused_before_anything_is_made(site: Site, more: dict[str, Any], path: str) -> None:
    refused = await site.start(**more)
    assert (refused.status_code, [problem["path"] for problem in refused.json()["problems"]]) == (422, [path])
    assert await site.campaigns() == []


async def test_hosts_that_are_not_there_and_templates_that_are_not_are_said(site: Site) -> None:
    unknown = await site.start(hosts=["cn-unknown"])
    assert unknown.status_code == 409
    assert (unknown.json()["code"], "cn-unknown" in unknown.json()["detail"]) == (Code.VIM_SESSION.value, True)
    assert (await site.http.get("/maintenance")).json() == {"sessions": []}
    assert await site.campaigns() == []
    broken = await site.start(workflow="gone")
    assert (broken.status_code, "nonexistent" in broken.text) == (502, False)


async def test_a_session_that_cannot_be_done_smoothly_leaves_no_campaign_behind(site: Site) -> None:
    nodes = sorted(node.id for node in site.cloud.simulation.world.inventory().nodes)
    refused = await site.start(hosts=nodes[:1])
    assert (refused.status_code, refused.json()["code"]) == (409, Code.PLN_CAPACITY.value)
    assert await site.campaigns() == []
    events = await site.cloud.ctx.store.events.read(0, limit=5000)
    assert [event.action for event in events if event.action.startswith("campaign.")][-1] == "campaign.remove"


async def test_a_session_that_a_crash_left_before_its_start_is_shown_and_can_be_removed(site: Site) -> None:
    row = await site.cloud.campaigns.create(CAMPAIGN.replace("name: ", "name: fenix-"))
    await site.cloud.ctx.store.tasks.remember(row.name, MEMO, "shown")
    (session,) = (await site.http.get("/maintenance")).json()["sessions"]
    assert (await site.http.delete(f"/maintenance/{session}")).status_code == 200
    assert await site.campaigns() == []


@pytest.mark.parametrize(("token", "status"), [(TENANT, 403), ("", 401), ("unknown", 403)])
async def test_only_administrators_get_in(site: Site, token: str, status: int) -> None:
    site.http.headers["X-Auth-Token"] = token
    assert (await site.start()).status_code == status
    for method, path in (("GET", ""), ("PUT", "/x"), ("DELETE", "/x")):
        assert (await site.http.request(method, f"/maintenance{path}")).status_code == status
    assert await site.campaigns() == []


async def test_the_operators_own_campaigns_are_no_sessions(site: Site) -> None:
    await site.cloud.campaigns.create(CAMPAIGN)
    assert (await site.http.get("/maintenance")).json() == {"sessions": []}


def test_sessions_need_keystone(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps({"vim": {"fenix": {"auth": "none", "sessions": {"templates": {"default": "/etc/t.yaml"}}}}}))
    with pytest.raises(InputError) as refused:
        read_settings(file, {})
    assert [problem.path for problem in refused.value.problems] == ["vim.fenix.sessions.templates"]
