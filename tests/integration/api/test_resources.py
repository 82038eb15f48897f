from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from escalator.api.app import operators_app
from escalator.api.openapi import documents
from escalator.model.campaign import Migration
from escalator.model.document import load, parse
from escalator.model.inventory import Inventory
from escalator.model.notice import Notice, NoticeState, NoticeType, Reply
from escalator.model.progress import Event
from escalator.model.redaction import redacted
from integration.api.running import CAMPAIGN, RELEASE, TOKEN

DOCUMENT = ("document", ("release.yaml", RELEASE, "application/yaml"))


async def test_a_registration_is_changed_part_by_part_and_that_stands_in_the_history(api):
    vnfm = {"name": "acme", "spec": {"callback_uri": "http://127.0.0.1:1/notices", "projects": ["p1"], "contact": "noc"}}
    await api.post("/v1/vnfms", json=vnfm)
    changed = await api.patch("/v1/vnfms/acme", json={"spec": {"callback_uri": "http://127.0.0.1:2/notices", "contact": None}})
    assert changed.status_code == 200
    spec = (await api.get("/v1/vnfms/acme")).json()["spec"]
    assert (spec["callback_uri"], spec["projects"], spec["contact"]) == ("http://127.0.0.1:2/notices", ["p1"], None)
    assert (await api.patch("/v1/vnfms/acme", json={"spec": {"projects": ["p1"]}})).status_code == 200
    assert (await api.patch("/v1/vnfms/acme", json={"spec": {"dialect": "klingon"}})).status_code == 422
    assert (await api.patch("/v1/vnfms/acme", json={"spec": {}})).status_code == 422
    assert (await api.patch("/v1/vnfms/nobody", json={"spec": {"projects": ["p1"]}})).status_code == 404
    events = (await api.get("/v1/events")).json()
    assert [(e["action"], e["message"]) for e in events] == [("vnfm.register", ""), ("vnfm.change", "callback_uri, contact")]


async def test_of_two_who_change_a_registration_the_second_hears_of_the_first(api):
    vnfm = {"name": "acme", "spec": {"callback_uri": "http://127.0.0.1:1/notices", "projects": ["p1"]}}
    made = await api.post("/v1/vnfms", json=vnfm)
    tag = made.headers["etag"]
    assert (await api.get("/v1/vnfms/acme")).headers["etag"] == tag
    first = await api.patch("/v1/vnfms/acme", json={"spec": {"projects": ["p2"]}}, headers={"If-Match": tag})
    assert first.status_code == 200
    assert first.headers["etag"] == (await api.get("/v1/vnfms/acme")).headers["etag"] != tag
    second = await api.patch("/v1/vnfms/acme", json={"spec": {"projects": ["p3"]}}, headers={"If-Match": tag})
    problem = second.json()
    assert (second.status_code, problem["code"], problem["exit_code"]) == (412, "ESC-VIM-025", 6)
    assert "changed by somebody else meanwhile" in problem["detail"]
    assert (await api.get("/v1/vnfms/acme")).json()["spec"]["projects"] == ["p2"]
    for header in ("*", f'"other", {first.headers["etag"]}'):
        again = await api.patch("/v1/vnfms/acme", json={"spec": {"projects": ["p2"]}}, headers={"If-Match": header})
        assert again.status_code == 200
    for header in (f"W/{first.headers['etag']}", "", "nonsense"):
        refused = await api.patch("/v1/vnfms/acme", json={"spec": {"projects": ["p4"]}}, headers={"If-Match": header})
        assert refused.status_code == 412


async def test_who_decided_to_forget_a_registration_hears_that_it_was_changed(api):
    vnfm = {"name": "acme", "spec": {"callback_uri": "http://127.0.0.1:1/notices", "projects": ["p1"]}}
    tag = (await api.post("/v1/vnfms", json=vnfm)).headers["etag"]
    newer = (await api.patch("/v1/vnfms/acme", json={"spec": {"projects": ["p2"]}})).headers["etag"]
    late = await api.delete("/v1/vnfms/acme", headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "ESC-VIM-025")
    assert (await api.get("/v1/vnfms/acme")).json()["spec"]["projects"] == ["p2"]
    assert (await api.delete("/v1/vnfms/acme", headers={"If-Match": newer})).status_code == 204
    assert (await api.delete("/v1/vnfms/acme", headers={"If-Match": newer})).status_code == 404


async def test_a_vnfm_is_registered_tested_and_forgotten(api):
    vnfm = {"name": "acme", "spec": {"callback_uri": "http://127.0.0.1:1/notices", "projects": ["p1"]}}
    reply = await api.post("/v1/vnfms", json=vnfm)
    assert (reply.status_code, reply.headers["location"]) == (201, "/v1/vnfms/acme")
    assert (await api.get("/v1/vnfms/acme")).json()["spec"]["projects"] == ["p1"]
    assert "acme" in [v["name"] for v in (await api.get("/v1/vnfms")).json()]
    tested = await api.post("/v1/vnfms/acme/actions/test")
    assert (tested.status_code, tested.json()["ok"]) == (200, False)
    assert (await api.delete("/v1/vnfms/acme")).status_code == 204
    assert (await api.get("/v1/vnfms/acme")).status_code == 404
    actions = [e["action"] for e in (await api.get("/v1/events")).json()]
    assert actions == ["vnfm.register", "vnfm.remove"]


async def test_a_test_tells_of_the_last_notice_where_that_was_not_taken(api, services):
    told = Notice(id="n1", type=NoticeType.CAMPAIGN_COMPLETED, vnfm="vnfm-core", campaign="c1", created_at=1.0)
    refused = replace(told, state=NoticeState.UNDELIVERABLE, error_code="ESC-VIM-005", error="VNF manager core answered 400.")
    await services.ctx.store.notices.add([refused])
    refused = (await api.post("/v1/vnfms/vnfm-core/actions/test-notice")).json()
    assert (refused["ok"], refused["remedy"]) == (False, "escalator vnfm test vnfm-core asks its address.")
    assert (await api.get("/v1/events")).json()[-1]["action"] == "vnfm.test-notice"
    tested = (await api.post("/v1/vnfms/vnfm-core/actions/test")).json()
    assert (tested["ok"], tested["message"].split(": ", 1)) == (
        True,
        [
            "The last notice to it (n1) was not taken",
            "ESC-VIM-005: VNF manager core answered 400. The test does not show whether notices are taken now.",
        ],
    )
    await services.ctx.store.notices.add([replace(told, id="n2", created_at=2.0, delivered_at=3.0, state=NoticeState.DELIVERED)])
    assert (await api.post("/v1/vnfms/vnfm-core/actions/test")).json()["message"] == ""


async def test_a_vnfm_that_a_campaign_needs_is_forgotten_by_force_only(api, services):
    await api.post("/v1/releases", files=[DOCUMENT])
    await api.post("/v1/campaigns", content=CAMPAIGN, headers={"Content-Type": "application/yaml"})
    await api.post("/v1/campaigns/agent-2/actions/plan")
    assert (await api.post("/v1/campaigns/agent-2/actions/start")).status_code == 202
    await api.post("/v1/campaigns/agent-2/actions/pause")
    refused = await api.delete("/v1/vnfms/vnfm-core")
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["exit_code"]) == (409, "ESC-UPG-002", 6)
    assert "Campaign agent-2 " in problem["detail"]
    assert "without vnfm-core nobody is asked about those instances" in problem["detail"]
    assert "escalator vnfm remove vnfm-core --force" in problem["remedy"]
    assert (await api.get("/v1/vnfms/vnfm-core")).status_code == 200
    vnfm = {"name": "acme", "spec": {"callback_uri": "http://127.0.0.1:1/notices", "projects": ["p1"]}}
    await api.post("/v1/vnfms", json=vnfm)
    assert (await api.delete("/v1/vnfms/acme")).status_code == 204, "nobody waits for it"
    assert (await api.delete("/v1/vnfms/vnfm-core?force=true")).status_code == 204


async def test_it_is_told_for_how_many_a_vnfm_speaks_and_what_nobody_has(api, services):
    known = (await services.ctx.cloud.inventory(Migration())).instances
    one = known[0]
    spec = {"callback_uri": "http://127.0.0.1:1/notices", "projects": ["foo"], "instances": [one.id], "vnfs": ["amf-99"]}
    await api.post("/v1/vnfms", json={"name": "acme", "spec": spec})
    found = (await api.get("/v1/vnfms/acme/instances")).json()
    assert found == {"vnfm": "acme", "instances": 1, "unknown": ["project foo", "vnf amf-99"]}
    owners = await services.ctx.vim.owners(known)
    of_core = sum(owner == "vnfm-core" for owner in owners.values())
    assert (await api.get("/v1/vnfms/vnfm-core/instances")).json()["instances"] == of_core > 0
    assert (await api.get("/v1/vnfms/nobody/instances")).status_code == 404


async def test_all_problems_of_a_registration_are_told(api):
    vnfm = {
        "name": "acme",
        "spec": {"callback_uri": "http://169.254.169.254/x#y", "projects": ["core"], "auth": {"type": "basic"}},
    }
    reply = await api.post("/v1/vnfms", json=vnfm)
    assert (reply.status_code, reply.json()["code"]) == (422, "ESC-VIM-009")
    assert [p["path"] for p in reply.json()["problems"]] == [
        "spec.callback_uri",
        "spec.callback_uri",
        "spec.auth.credential",
        "spec.projects",
    ]


async def test_a_registration_of_a_wrong_form_names_the_key_that_was_meant(api):
    reply = await api.post("/v1/vnfms", json={"name": "acme", "spec": {"calback_uri": "http://x"}})
    assert reply.json()["problems"][0]["message"] == "unknown key; did you mean 'callback_uri'?"


async def test_a_release_is_taken_in_with_its_files_and_nothing_is_left_behind(api, services):
    reply = await api.post("/v1/releases", files=[DOCUMENT, ("file", ("bin/agent", b"x" * 200_000))])
    assert reply.status_code == 201, reply.text
    assert reply.json()["id"] == "nfvi-agent/2.0.0"
    assert [f["path"] for f in reply.json()["document"]["spec"]["files"]] == ["bin/agent"]
    assert (await api.get("/v1/releases/nfvi-agent/2.0.0")).json() == reply.json()
    assert [r["id"] for r in (await api.get("/v1/releases")).json()] == ["nfvi-agent/2.0.0"]
    assert list((services.settings.state / "incoming").iterdir()) == []
    lines = [(line["action"], line["object_id"]) for line in (await api.get("/v1/events")).json()]
    assert lines == [("release.import", "nfvi-agent/2.0.0")]


@pytest.mark.parametrize(
    "name", ["../escape", "/etc/passwd", "a/../../b", "a//../..", ".hidden", "a\\..\\b", "x" * 300, "", "é", "a b"]
)
async def test_a_file_whose_name_leaves_the_folder_is_refused(api, services, name):
    reply = await api.post("/v1/releases", files=[DOCUMENT, ("file", (name, b"x"))])
    assert reply.status_code == 422, reply.text
    assert list((services.settings.state / "incoming").iterdir()) == []
    assert not (services.settings.state / "escape").exists()


@pytest.mark.parametrize(
    "parts",
    [
        [("file", ("a", b"x"))],
        [DOCUMENT, ("other", ("a", b"x"))],
        [DOCUMENT, ("file", ("a", b"x")), ("file", ("a", b"y"))],
        [DOCUMENT, ("file", ("a", b"x")), ("file", ("a/b", b"y"))],
        [DOCUMENT, ("file", ("release.yaml", b"x"))],
        [("document", ("release.yaml", b"spec: [", "application/yaml"))],
    ],
)
async def test_an_upload_in_disorder_is_refused(api, parts):
    reply = await api.post("/v1/releases", files=parts)
    assert reply.status_code == 422, reply.text
    assert reply.json()["problems"]


async def test_an_upload_that_is_no_multipart_message_is_refused(api):
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await api.post("/v1/releases", content=b"nonsense", headers=kind)).status_code == 422
    assert (await api.post("/v1/releases", content=b"", headers=kind)).status_code == 422
    assert (await api.post("/v1/releases", content=b"--x\r\n", headers=kind)).status_code == 422
    assert (await api.post("/v1/releases", json={})).status_code == 415


async def test_an_upload_larger_than_the_disk_is_refused_by_what_it_announces(api):
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(2**60)}
    assert (await api.post("/v1/releases", content=b"--x", headers=headers)).status_code == 413


async def test_a_document_part_is_bounded(api):
    huge = ("document", ("release.yaml", b"a" * (4 * 2**20 + 1)))
    assert (await api.post("/v1/releases", files=[huge])).status_code == 413


async def test_the_inventory_is_a_document_that_plan_reads(api):
    text = (await api.get("/v1/inventory")).text
    assert len(load(Inventory, parse(text)).nodes) == 4


async def test_settings_are_shown_without_passwords(api):
    shown = (await api.get("/v1/config")).json()
    assert shown["server"]["port"] == 8470
    url = {"database": {"url": "postgresql://esc:hunter2@db/esc?sslmode=require&password=hunter3"}}
    assert redacted(url) == {"database": {"url": "postgresql://esc:***@db/esc?sslmode=require&password=***"}}


async def events(services, *numbers: int, **more):
    rows = [Event(at=float(n), action=f"test.{n}", **more) for n in numbers]
    await services.ctx.store.events.append(rows)


async def test_the_history_is_read_in_pages_from_its_end_and_by_what_it_is_about(api, services):
    await events(services, *range(1, 8), campaign="a")
    await events(services, 8, campaign="b", node="n")

    async def actions(**query):
        return [e["action"] for e in (await api.get("/v1/events", params=query)).json()]

    assert await actions(after=5, limit=2) == ["test.6", "test.7"]
    assert await actions(tail=2) == ["test.7", "test.8"]
    assert await actions(tail=2, campaign="a") == ["test.6", "test.7"]
    assert await actions(node="n") == ["test.8"]
    first = (await api.get("/v1/events", params={"limit": 1})).json()[0]
    assert (first["seq"], first["at"]) == (1, "1970-01-01T00:00:01.000Z")


async def test_the_history_is_read_by_time_and_by_code(api, services):
    await events(services, 1, 2, 4, 5)
    await events(services, 3, code="ESC-VIM-003", campaign="a")

    async def actions(**query):
        return [e["action"] for e in (await api.get("/v1/events", params=query)).json()]

    assert await actions(code="ESC-VIM-003") == ["test.3"]
    assert await actions(since="1970-01-01T00:00:04Z") == ["test.4", "test.5"]
    assert await actions(until="1970-01-01T01:00:03+01:00") == ["test.1", "test.2"]
    assert await actions(since="1970-01-01T00:00:02Z", until="1970-01-01T00:00:05Z", tail=2) == ["test.4", "test.3"]
    assert await actions(since="1970-01-01T00:00:02Z", code="ESC-VIM-003", node="b") == []


TIMES = ["since=yesterday", "until=2026-01-01T00:00:00", "code=VIM-3", "follow=true&until=2026-01-01T00:00:00Z"]


FAR = f"after={10**20}"


@pytest.mark.parametrize("query", ["limit=0", "limit=5001", "after=-1", "after=x", FAR, "tail=-1", "follow=perhaps", *TIMES])
async def test_a_query_that_cannot_be_is_a_problem(api, query):
    reply = await api.get(f"/v1/events?{query}")
    assert (reply.status_code, reply.json()["code"]) == (422, "ESC-API-001")


async def test_a_last_event_id_that_is_no_number_is_a_problem(api):
    assert (await api.get("/v1/events?follow=true", headers={"Last-Event-ID": "x"})).status_code == 422


async def test_notices_are_listed_without_the_address_that_answers_them(api, services):
    notice = Notice(
        id="n1", type=NoticeType.HOST_MAINTENANCE_UPCOMING, vnfm="vnfm-core", campaign="c", task="c/n/1", created_at=1.0,
        reply_by=2.0, reply_token="unguessable-token",
    )  # fmt: skip
    await services.ctx.store.notices.add([notice])
    await services.ctx.store.notices.record_reply("n1", 1.5, Reply(result="ACK"), "accepted")
    listed = await api.get("/v1/notices", params={"campaign": "c"})
    shown = await api.get("/v1/notices/n1")
    assert [n["id"] for n in listed.json()] == ["n1"]
    assert shown.json()["replies"][0]["reply"]["result"] == "ACK"
    assert "unguessable-token" not in listed.text + shown.text


def test_the_committed_openapi_documents_are_those_of_the_code():
    folder = Path(__file__).parents[3] / "docs" / "reference"
    for name, text in documents().items():
        assert json.loads((folder / name).read_text()) == json.loads(text), f"run python -m escalator.api.openapi {folder}"


async def test_every_operation_of_the_openapi_document_tells_what_it_does_and_how_it_fails(stranger):
    document = (await stranger.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            if path.startswith("/v1"):
                assert {"401", "403"} <= set(operation["responses"]), (method, path)
    text = json.dumps(document)
    for reference in set(text.split('"#/components/schemas/')[1:]):
        assert reference.partition('"')[0] in document["components"]["schemas"]


async def test_streams_end_when_the_server_ends(services):
    """Driven at the ASGI level: the client in this process would collect the whole stream first."""
    closing, sent, first = asyncio.Event(), [], asyncio.Event()
    app = operators_app(services, closing)
    await events(services, 1, 2, 3)
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {TOKEN}".encode()), (b"last-event-id", b"1")]
    scope = {
        "type": "http", "method": "GET", "path": "/v1/events", "raw_path": b"/v1/events", "query_string": b"follow=true",
        "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("localhost", 80), "client": ("localhost", 1),
        "asgi": {"version": "3.0", "spec_version": "2.4"},
    }  # fmt: skip

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)
        if b"test.3" in message.get("body", b""):
            first.set()

    stream = asyncio.create_task(app(scope, receive, send))
    await first.wait()
    await events(services, 4)
    closing.set()
    await stream
    body = b"".join(m.get("body", b"") for m in sent).decode()
    assert sent[0]["status"] == 200
    assert "id: 2\ndata: {" in body
    assert "test.1" not in body
