"""A person answers notices: through the API and the command line."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest

from escalator.model.errors import ConflictError
from escalator.model.notice import Reply
from integration.api.running import CAMPAIGN, RELEASE, served, write_release
from integration.api.test_campaigns import YAML, state_of
from unit.cli.terminal import run

NAME = "agent-2"


def silence(services) -> None:
    """No VNF manager says anything any more."""
    vnfms = services.simulation.world.vnfms
    for row in services.simulation.world.state.vnfms.rows.values():
        vnfms.put(replace(row, behaviour="silent"))


async def asked(api):
    """The notices that wait for an answer."""
    while True:
        found = (await api.get("/v1/notices", params={"campaign": NAME})).json()
        waiting = [n for n in found if n["type"] == "HostMaintenanceUpcoming" and n["state"] == "delivered"]
        if waiting:
            return waiting
        await asyncio.sleep(0.02)


async def test_a_campaign_goes_on_by_the_answers_of_people(api, services):
    silence(services)
    parts = [("document", ("release.yaml", RELEASE, "application/yaml")), ("file", ("bin/notes.txt", b"new", "text/plain"))]
    assert (await api.post("/v1/releases", files=parts)).status_code == 201
    wish = CAMPAIGN.replace("  node: {driver", "  workloads: {notify: {reply_timeout_s: 3600}}\n  node: {driver")
    assert (await api.post("/v1/campaigns", content=wish, headers=YAML)).status_code == 201
    await api.post(f"/v1/campaigns/{NAME}/actions/plan")
    await api.post(f"/v1/campaigns/{NAME}/actions/start")
    first = (await asked(api))[0]
    path = f"/v1/notices/{first['id']}/actions/reply"

    wrong = await api.post(path, json={"result": "YES"})
    assert (wrong.status_code, wrong.json()["problems"][0]["path"]) == (422, "result")
    unfit = await api.post(path, json={"result": "ACK", "instances": {"vm-nobody": "MOVED"}})
    assert (unfit.status_code, unfit.json()["code"]) == (422, "ESC-VIM-008")
    later = {"result": "DEFER", "until": first["reply_by"]}
    assert (await api.post(path, json=later)).status_code == 202
    waits = {wait["notice"]: wait for wait in (await api.get(f"/v1/campaigns/{NAME}")).json()["waiting"]}
    assert waits[first["id"]]["deferred_until"] == first["reply_by"]
    assert {wait["deferred_until"] for notice, wait in waits.items() if notice != first["id"]} == {None}
    yes = await agreement(api, first)
    taken = await api.post(path, json=yes)
    assert (taken.status_code, taken.json()["state"], taken.json()["result"]) == (202, "answered", "ACK")
    assert (await api.post(path, json=yes)).status_code == 202
    other = await api.post(path, json={"result": "NACK"})
    assert (other.status_code, other.json()["code"], other.json()["exit_code"]) == (409, "ESC-VIM-007", 6)
    token = (await services.ctx.store.notices.get(first["id"])).reply_token
    with pytest.raises(ConflictError):
        await services.vim.inbox.receive(token, Reply(result="NACK", reason="itself"), services.ctx.clock.now())
    came = (await api.get(f"/v1/notices/{first['id']}")).json()["replies"]
    assert [(one["verdict"], one["by_person"]) for one in came if one["verdict"] != "invalid"] == [
        ("accepted", True),
        ("accepted", True),
        ("duplicate", True),
        ("superseded", True),
        ("superseded", False),
    ]
    assert all(one["by_person"] for one in came if one["verdict"] == "invalid")
    assert (await api.post("/v1/notices/none/actions/reply", json={"result": "ACK"})).status_code == 404

    answering = asyncio.create_task(answer_all(api))
    view = await state_of(api, "completed")
    answering.cancel()
    assert {task["node"]: task["message"] for task in view["tasks"] if task["state"] != "done"} == {}
    told = [e for e in (await api.get("/v1/events", params={"limit": 5000})).json() if e["action"] == "notice.reply"]
    told = [e for e in told if e["outcome"] != "refused"]
    assert [e["message"] for e in told[:2]] == [f"a person answered {word} for {first['vnfm']}" for word in ("DEFER", "ACK")]


async def answer_all(api):
    while True:
        for notice in await asked(api):
            await api.post(f"/v1/notices/{notice['id']}/actions/reply", json=await agreement(api, notice))


async def agreement(api, notice):
    """Everything may go as planned: what stays has its business elsewhere."""
    resources = (await api.get(f"/v1/notices/{notice['id']}")).json()["resources"]
    stays = {r["resource_id"]: "MOVED" for r in resources if r["planned_action"] in ("in-place", "stop-start")}
    return {"result": "ACK", "instances": stays}


@pytest.fixture
def server(tmp_path):
    with served(tmp_path / "state") as found:
        yield found


def test_the_one_on_duty_answers_from_the_command_line(server, tmp_path, capsys):
    def esc(*words):
        return run(*words, environment=server.environment)

    server.loop.call_soon_threadsafe(silence, server.services)
    assert esc("release", "import", write_release(tmp_path / "release")).code == 0
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    esc("campaign", "create", tmp_path / "campaign.yaml")
    esc("campaign", "plan", NAME)
    esc("campaign", "start", NAME)
    notice = None
    end = time.monotonic() + 30
    while notice is None and time.monotonic() < end:
        found = json.loads(esc("notice", "list", "-f", "json").out)
        notice = next((n for n in found if n["type"] == "HostMaintenanceUpcoming" and n["state"] == "delivered"), None)
    assert notice is not None
    assert esc("notice", "reply", notice["id"]).code == 2
    assert esc("notice", "reply", notice["id"], "--result", "ACK", "--instance", "vm=GONE").code == 2
    vague = esc("notice", "reply", notice["id"], "--result", "DEFER", "--until", "in 5 minutes")
    assert (vague.code, "a time with its zone" in vague.err) == (2, True)
    assert esc("notice", "reply", notice["id"], "--result", "DEFER").code == 2
    assert esc("notice", "reply", notice["id"], "--result", "ACK", "--until", "2026-01-31T01:30:00Z").code == 2
    assert "HostMaintenanceUpcoming (upcoming)" in esc("notice", "show", notice["id"]).out
    seen = esc(
        "notice", "reply", notice["id"], "--result", "ACK", "--all", "MIGRATE", "--reason", "agreed on the phone", "-f", "json"
    )
    assert (seen.code, json.loads(seen.out)["state"]) == (0, "answered")
    shown = json.loads(esc("notice", "show", notice["id"], "-f", "json").out)
    (reply,) = shown["replies"]
    assert f"a person for {notice['vnfm']}  accepted" in esc("notice", "show", notice["id"], "--max-width", "400").out
    assert reply["reply"]["reason"] == "agreed on the phone"
    assert set(reply["reply"]["instances"].values()) == {"MIGRATE"}
    late = esc("notice", "reply", notice["id"], "--result", "NACK")
    assert (late.code, late.out) == (6, "")
    assert late.err.startswith("ESC-VIM-007")
    esc("campaign", "abort", NAME)
