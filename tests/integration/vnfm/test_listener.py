"""The VNF managers' listener over real HTTP: every answer is a problem document, and nothing can be guessed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from beds.vnfm.bed import Bed, opened_bed
from escalator.api.openapi import documents
from escalator.api.vnfm_messages import Notification, Occurrence, example
from escalator.model.notice import Reply
from escalator.vim_interface.inbox import MAX_REPLY_BYTES
from escalator.vim_interface.messages import REPLIES

ACK = {"result": "ACK", "instances": {"vm-1": "MOVED"}}


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    """One silent VNF manager that got one notice."""
    async with opened_bed("vi-vnfm", tmp_path) as opened:
        await opened.vnfm("vnfm-1", "silent", "p1")
        await opened.ask()
        await opened.until_state("vnfm-1", "delivered")
        yield opened


@pytest.fixture
async def client(bed: Bed) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=bed.base_url, trust_env=False) as opened:
        yield opened


@pytest.fixture
def address(bed: Bed) -> str:
    (notified,) = bed.processes["vnfm-1"].lines("notified")
    uri: str = notified["body"]["replyUri"]
    return uri


def check_problem(response: httpx.Response, status: int, code: str) -> dict:
    problem = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["version"] == "1.0.0"
    assert (problem["status"], problem["code"]) == (status, code)
    return problem


async def test_a_reply_and_its_repetition_are_confirmed_without_content(client: httpx.AsyncClient, address: str):
    for _ in range(2):
        response = await client.put(address, json=ACK)
        assert (response.status_code, response.content, response.headers["version"]) == (204, b"", "1.0.0")


async def test_a_different_reply_is_a_conflict(client: httpx.AsyncClient, address: str):
    await client.put(address, json=ACK)
    check_problem(await client.put(address, json={"result": "NACK"}), 409, "ESC-VIM-007")


async def test_a_late_reply_is_a_conflict(client: httpx.AsyncClient, address: str, bed: Bed):
    await bed.clock.advance(300)
    check_problem(await client.put(address, json=ACK), 409, "ESC-VIM-006")


async def test_an_invalid_reply_is_answered_with_all_its_problems(client: httpx.AsyncClient, address: str):
    body = {"result": "DEFER", "instances": {"vm-2": "MOVED", "vm-3": "MOVED"}}
    problem = check_problem(await client.put(address, json=body), 422, "ESC-VIM-008")
    assert {p["path"] for p in problem["problems"]} == {"until", "instances.vm-2", "instances.vm-3"}


@pytest.mark.parametrize("token", ["t" * 43, "x", "%2e%2e", "a" * 5000])
async def test_what_was_never_given_out_looks_the_same_whatever_is_asked(client: httpx.AsyncClient, token: str):
    uri = f"{REPLIES}/{token}"
    put = await client.put(uri, json=ACK)
    garbage = await client.put(uri, content=b"garbage")
    get = await client.get(uri)
    check_problem(put, 404, "ESC-VIM-001")
    assert put.content == garbage.content == get.content
    assert token not in put.text or len(token) == 1


async def test_nothing_is_waited_for_at_an_address_that_nobody_was_given(bed: Bed):
    to = urlsplit(bed.base_url)
    reader, writer = await asyncio.open_connection(to.hostname, to.port)
    head = f"PUT {REPLIES}/{'t' * 43} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
    writer.close()


async def test_a_missed_notice_can_be_read(client: httpx.AsyncClient, address: str, bed: Bed):
    response = await client.get(address)
    assert (response.status_code, response.headers["version"]) == (200, "1.0.0")
    assert response.headers["cache-control"] == "no-store"
    (notified,) = bed.processes["vnfm-1"].lines("notified")
    assert response.json() == {**notified["body"], "state": "delivered"}


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: httpx.AsyncClient, address: str):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_REPLY_BYTES // 1024 + 2):
            yield b" " * 1024

    check_problem(await client.put(address, content=b"{" + b" " * MAX_REPLY_BYTES + b"}"), 413, "ESC-API-004")
    check_problem(await client.put(address, content=endless()), 413, "ESC-API-004")


async def test_other_forms_versions_and_methods_are_refused(client: httpx.AsyncClient, address: str):
    text = {"Content-Type": "text/plain"}
    assert check_problem(await client.put(address, content=json.dumps(ACK), headers=text), 415, "ESC-API-001")
    version = check_problem(await client.put(address, json=ACK, headers={"Version": "2.0.0"}), 406, "ESC-API-001")
    assert version["detail"] == "The version of the interface that was asked for is not spoken here."
    assert version["remedy"] == "Send the header Version: 1.0.0, or none."
    refused = await client.post(address, json=ACK)
    check_problem(refused, 405, "ESC-API-009")
    assert refused.headers["allow"] in ("PUT", "GET", "GET, PUT", "PUT, GET")
    assert (await client.put(address, json=ACK, headers={"Version": "1.4.0"})).status_code == 204


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/docs", "/vi-vnfm/v1/replies", "/vi-vnfm/v1/notices", "/metrics"])
async def test_there_is_nothing_else_to_find(client: httpx.AsyncClient, path: str):
    check_problem(await client.get(path), 404, "ESC-API-005")


async def test_the_openapi_document_describes_what_is_sent_and_shown(client: httpx.AsyncClient, address: str, bed: Bed):
    (notified,) = bed.processes["vnfm-1"].lines("notified")
    sent = Notification.model_validate_json(json.dumps(notified["body"]))
    assert sent.reply_by is not None
    await client.put(address, json=ACK)
    shown = Occurrence.model_validate_json((await client.get(address)).content)
    assert (shown.state, shown.reply) == ("answered", Reply(result="ACK", instances={"vm-1": "MOVED"}))
    Notification.model_validate_json(json.dumps(example()))


async def test_the_notice_says_all_that_a_vnf_manager_needs(bed: Bed):
    (notified,) = bed.processes["vnfm-1"].lines("notified")
    body = notified["body"]
    assert notified["version"] == "1.0.0"
    assert body.pop("replyUri") == body.pop("_links")["self"]["href"]
    times = [body.pop(key) for key in ("timeStamp", "replyBy", "actionAt")]
    assert times == sorted(times)
    assert all(time.endswith("Z") for time in times)
    assert body == {
        "id": (await bed.notice("vnfm-1")).id,
        "notificationType": "HostMaintenanceUpcoming",
        "subscriptionId": "vnfm-1",
        "campaignId": "c1",
        "occurrenceId": "c1/cn-1",
        "hostId": "cn-1",
        "affectedResources": [
            {"resourceId": "vm-1", "projectId": "p1", "groupIds": [], "plannedAction": "live"},
        ],
        "allowedActions": ["MOVED", "KEEP", "OWN_ACTION", "MIGRATE", "LIVE_MIGRATE"],
    }


def test_the_committed_document_says_all_that_a_vnf_manager_has_to_know():
    document = documents()["openapi-vnfm.json"]
    found = json.loads(document)
    assert "HTTPValidationError" not in document
    native = {path: operations for path, operations in found["paths"].items() if path.startswith("/vi-vnfm/")}
    for operations in native.values():
        for operation in operations.values():
            (version,) = [p for p in operation["parameters"] if p["name"] == "Version"]
            assert (version["in"], version["required"]) == ("header", False)
            assert "406" in operation["responses"]
            assert operation["security"][-2:] == [{"token": []}, {"password": []}]
    refused = [o["responses"]["422"] for ops in found["paths"].values() for o in ops.values() if "422" in o["responses"]]
    assert {kind for response in refused for kind in response["content"]} == {"application/problem+json"}
    assert set(found["webhooks"]["notification"]) == {"get", "post"}
    assert "204" in found["webhooks"]["notification"]["get"]["responses"]
    planned = found["components"]["schemas"]["AffectedResource"]["properties"]["plannedAction"]
    assert "stop-start" in planned["enum"]
