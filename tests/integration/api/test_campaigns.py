from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from escalator.api.app import operators_app
from integration.api.running import CAMPAIGN, RELEASE, TOKEN

YAML = {"Content-Type": "application/yaml"}


async def upload(api, parts):
    return await api.post("/v1/releases", files=parts)


@pytest.fixture
async def released(api):
    parts = [("document", ("release.yaml", RELEASE, "application/yaml")), ("file", ("bin/notes.txt", b"new", "text/plain"))]
    reply = await upload(api, parts)
    assert reply.status_code == 201, reply.text
    return reply


@pytest.fixture
async def created(api, released):
    reply = await api.post("/v1/campaigns", content=CAMPAIGN, headers=YAML)
    assert reply.status_code == 201, reply.text
    return reply


async def state_of(api, wanted, name="agent-2"):
    """Look until the campaign is in that state; the test's time-out ends a campaign that never gets there."""
    while (view := (await api.get(f"/v1/campaigns/{name}")).json())["state"] != wanted:  # noqa: ASYNC110 - the API has no event
        await asyncio.sleep(0.02)
    return view


async def test_a_campaign_goes_from_its_document_to_its_end(api, created):
    assert created.headers["location"] == "/v1/campaigns/agent-2"
    assert created.json()["state"] == "draft"

    plan = (await api.post("/v1/campaigns/agent-2/actions/plan")).json()
    assert plan["smooth"] is True
    assert len(plan["upgrades"]) == 4

    started = await api.post("/v1/campaigns/agent-2/actions/start", json={"plan": plan["id"]})
    assert started.status_code == 202
    view = await state_of(api, "completed")
    assert view["progress"] == {
        "back": False, "percent": 100.0,
        "total": 4, "ended": 4, "done": 4, "running": 0, "held": 0, "pending": 0, "failed": 0, "skipped": 0
    }  # fmt: skip
    assert {task["ladder"][-1]["rung"] for task in view["tasks"]} == {"Available"}
    assert view["plan_summary"]["moves"] == len(plan["moves"])
    assert [c["ok"] for c in view["plan_summary"]["conditions"]] == [True] * len(plan["conditions"])
    assert view["waiting"] == []
    assert view["document"]["metadata"]["name"] == "agent-2"

    listed = (await api.get("/v1/campaigns")).json()
    assert [(c["name"], c["state"]) for c in listed] == [("agent-2", "completed")]
    nodes = (await api.get("/v1/nodes", params={"campaign": "agent-2"})).json()
    assert {node["task"] for node in nodes} == {"done"}
    assert {node["versions"]["agent"] for node in nodes} == {"2.0.0"}


async def test_a_plan_is_given_out_exactly_as_it_is_stored(api, services, created):
    plan = (await api.post("/v1/campaigns/agent-2/actions/plan")).json()
    row = await services.ctx.store.campaigns.get_plan(plan["id"])
    assert (await api.get(f"/v1/plans/{plan['id']}")).text == row.document
    assert json.loads(row.document) == plan
    second = (await api.post("/v1/campaigns/agent-2/actions/plan")).json()
    listed = (await api.get("/v1/campaigns/agent-2/plans")).json()
    assert [(p["id"], p["parent"], p["current"]) for p in listed] == [
        (plan["id"], None, False),
        (second["id"], plan["id"], True),
    ]


async def test_a_paused_campaign_says_so_and_goes_on(api, created):
    await api.post("/v1/campaigns/agent-2/actions/plan")
    await api.post("/v1/campaigns/agent-2/actions/start")
    paused = await api.post("/v1/campaigns/agent-2/actions/pause", json={"reason": "lunch"})
    assert (paused.status_code, paused.json()["state"], paused.json()["reason"]) == (202, "paused", "lunch")
    view = (await api.get("/v1/campaigns/agent-2")).json()
    assert view["next"] == [f"escalator campaign {verb} agent-2" for verb in ("resume", "abort", "rollback")]
    assert (await api.post("/v1/campaigns/agent-2/actions/resume")).json()["state"] == "running"
    await state_of(api, "completed")


async def test_an_aborted_campaign_leaves_the_other_nodes_and_one_of_them_cannot_be_retried(api, created):
    await api.post("/v1/campaigns/agent-2/actions/plan")
    await api.post("/v1/campaigns/agent-2/actions/start")
    assert (await api.post("/v1/campaigns/agent-2/actions/abort")).status_code == 202
    view = await state_of(api, "aborted")
    skipped = next(task["node"] for task in view["tasks"] if task["state"] == "skipped")
    reply = await api.post(f"/v1/nodes/{skipped}/actions/retry", json={"campaign": "agent-2"})
    assert reply.status_code == 409
    assert reply.json()["exit_code"] == 6
    assert (await api.get("/v1/restorations")).json() == []


async def test_a_node_that_waits_for_its_turn_can_be_skipped_and_retried(api, created):
    await api.post("/v1/campaigns/agent-2/actions/plan")
    await api.post("/v1/campaigns/agent-2/actions/start")
    await api.post("/v1/campaigns/agent-2/actions/pause")
    view = (await api.get("/v1/campaigns/agent-2")).json()
    node = next(task["node"] for task in view["tasks"] if task["state"] == "pending")
    skipped = await api.post(f"/v1/nodes/{node}/actions/skip", json={"campaign": "agent-2"})
    assert (skipped.status_code, skipped.json()["state"]) == (202, "skipped")
    again = await api.post(f"/v1/nodes/{node}/actions/retry", json={"campaign": "agent-2"})
    assert (again.json()["state"], again.json()["attempt"]) == ("pending", 2)
    details = (await api.get(f"/v1/nodes/{node}")).json()
    assert details["node_task"]["attempt"] == 2
    assert len(details["hosted"]) == details["instances"]


async def test_all_problems_of_a_campaign_document_are_told_with_their_lines(api):
    bad = (
        CAMPAIGN.replace("mode: smooth", "mode: smoothly").replace("max_unavailable", "max_unavail").replace("simulated", "magic")
    )
    reply = await api.post("/v1/campaigns", content=bad, headers=YAML)
    assert (reply.status_code, reply.json()["exit_code"]) == (422, 2)
    assert {(p["path"], p["line"]) for p in reply.json()["problems"]} == {
        ("spec.mode", 7),
        ("spec.waves.max_unavail", 9),
        ("spec.node.driver", 10),
    }


@pytest.mark.parametrize(
    "text", [b"", b"{", b"- 1", b"\xff\xfe", b"a: *b", b"{" * 5000, b"a: " + b"[" * 100 + b"]" * 100, b"null", b"7"]
)
async def test_what_is_no_document_is_a_problem_and_no_crash(api, text):
    reply = await api.post("/v1/campaigns", content=text, headers=YAML)
    assert reply.status_code == 422, reply.text
    assert reply.json()["code"].startswith("ESC-CFG-")


async def test_bodies_of_actions_are_checked_too(api, created):
    reply = await api.post("/v1/campaigns/agent-2/actions/start", json={"accept_drft": "yes", "plan": 7})
    assert reply.status_code == 422
    assert {p["path"] for p in reply.json()["problems"]} == {"accept_drft", "plan"}
    reply = await api.post("/v1/nodes/cn-0001/actions/skip", json={"campaign": "No Label"})
    assert reply.json()["problems"][0]["path"] == "campaign"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/campaigns/none", "ESC-UPG-001"),
        ("GET", "/v1/campaigns/none/plans", "ESC-UPG-001"),
        ("POST", "/v1/campaigns/none/actions/plan", "ESC-UPG-001"),
        ("POST", "/v1/campaigns/none/actions/start", "ESC-UPG-001"),
        ("GET", "/v1/plans/none", "ESC-UPG-001"),
        ("GET", "/v1/nodes/none", "ESC-CLD-004"),
        ("GET", "/v1/nodes?campaign=none", "ESC-UPG-001"),
        ("GET", "/v1/releases/none/1.0.0", "ESC-SYS-014"),
        ("GET", "/v1/vnfms/none", "ESC-VIM-001"),
        ("DELETE", "/v1/vnfms/none", "ESC-VIM-001"),
        ("POST", "/v1/vnfms/none/actions/test", "ESC-VIM-001"),
        ("GET", "/v1/notices/none", "ESC-VIM-001"),
        ("GET", "/v1/nothing", "ESC-API-005"),
        ("GET", "/docs", "ESC-API-005"),
    ],
)
async def test_what_is_not_there_is_named_by_its_code(api, method, path, code):
    reply = await api.request(method, path)
    assert (reply.status_code, reply.json()["code"]) == (404, code)


async def test_a_method_that_is_not_known_is_answered_405(api):
    reply = await api.delete("/v1/campaigns")
    assert (reply.status_code, reply.json()["code"]) == (405, "ESC-API-009")
    assert reply.headers["allow"].split(", ") == ["GET", "POST"]


async def test_a_campaign_of_a_taken_name_or_without_its_release_is_refused(api, created):
    again = await api.post("/v1/campaigns", content=CAMPAIGN, headers=YAML)
    assert (again.status_code, again.json()["code"], again.json()["exit_code"]) == (409, "ESC-UPG-018", 6)
    other = CAMPAIGN.replace("agent-2}", "other}").replace("2.0.0", "9.0.0")
    reply = await api.post("/v1/campaigns", content=other, headers=YAML)
    assert (reply.status_code, reply.json()["code"]) == (404, "ESC-SYS-014")


async def test_drift_beyond_the_plan_waits_for_a_person(api, services, created):
    await api.post("/v1/campaigns/agent-2/actions/plan")
    services.simulation.world.hosts.cordon("cn-0002", "a disk is replaced")
    reply = await api.post("/v1/campaigns/agent-2/actions/start")
    assert (reply.status_code, reply.json()["code"], reply.json()["exit_code"]) == (409, "ESC-UPG-004", 4)


async def test_a_plan_that_is_not_smooth_is_shown_and_not_started(api, services, created):
    for node in ("cn-0002", "cn-0003"):
        services.simulation.world.hosts.cordon(node, "a disk is replaced")
    plan = (await api.post("/v1/campaigns/agent-2/actions/plan")).json()
    assert plan["smooth"] is False
    assert all(c["remedy"] for c in plan["conditions"] if not c["ok"])
    reply = await api.post("/v1/campaigns/agent-2/actions/start")
    assert (reply.status_code, reply.json()["exit_code"]) == (409, 3)


async def test_a_node_is_held_and_let_go(api, created):
    held = await api.post("/v1/nodes/cn-0002/actions/hold", json={"reason": "ticket 4711"})
    assert (held.status_code, held.json()["node"], held.json()["reason"]) == (202, "cn-0002", "ticket 4711")
    assert (await api.get("/v1/nodes/cn-0002")).json()["hold"] == "held by a person: ticket 4711"
    plan = (await api.post("/v1/campaigns/agent-2/actions/plan")).json()
    assert plan["totals"]["not_upgraded"] == [{"node": "cn-0002", "reason": "held by a person: ticket 4711"}]
    assert (await api.post("/v1/nodes/cn-0002/actions/unhold")).status_code == 204
    again = await api.post("/v1/nodes/cn-0002/actions/unhold")
    assert (again.status_code, again.json()["code"]) == (409, "ESC-UPG-041")
    assert (await api.get("/v1/nodes/cn-0002")).json()["hold"] is None
    assert (await api.post("/v1/nodes/none/actions/hold")).status_code == 404
    assert (await api.post("/v1/nodes/cn-0002/actions/hold", json={"reason": "x" * 501})).status_code == 422


class Later:
    """The server's clock as far ahead as somebody is late."""

    def __init__(self, clock, late_s: float) -> None:
        self._clock, self._late_s = clock, late_s

    def now(self) -> float:
        return self._clock.now() + self._late_s


@pytest.mark.parametrize(("late_s", "short"), [(0.0, False), (23 * 3600.0, True)])
async def test_who_starts_too_late_for_the_window_of_the_plan_is_told(services, late_s, short):
    tomorrow = datetime.fromtimestamp(services.ctx.clock.now(), UTC) + timedelta(days=1)
    document = f"{CAMPAIGN}  not_after: '{tomorrow.isoformat()}'\n"
    late = replace(services, ctx=replace(services.ctx, clock=Later(services.ctx.clock, late_s)))
    transport = httpx.ASGITransport(operators_app(late))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470", headers=headers) as api:
        files = [("document", ("release.yaml", RELEASE, "application/yaml"))]
        assert (await api.post("/v1/releases", files=files)).status_code == 201
        assert (await api.post("/v1/campaigns", content=document, headers=YAML)).status_code == 201
        assert (await api.post("/v1/campaigns/agent-2/actions/plan")).json()["smooth"] is True
        started = await api.post("/v1/campaigns/agent-2/actions/start")
    assert started.status_code == 202
    assert bool(started.json()["short_of_time"]) is short
