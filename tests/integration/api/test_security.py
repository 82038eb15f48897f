from __future__ import annotations

from urllib.parse import quote

import pytest

from integration.api.running import TOKEN

PATHS = ("/v1/campaigns", "/v1/nodes", "/v1/config", "/v1/events", "/v1/restorations", "/v1/nothing-of-that-name", "/")


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_told_without_the_token_not_even_what_exists(stranger, path):
    reply = await stranger.get(path)
    assert reply.status_code == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json()["code"] == "ESC-API-002"
    assert reply.json()["exit_code"] == 7


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Bearer {TOKEN.upper()}",
        "Bearer é",
    ],
)
async def test_a_wrong_token_is_refused(stranger, header):
    reply = await stranger.get("/v1/campaigns", headers={"Authorization": header.encode("latin-1")})
    assert reply.status_code == 401


async def test_two_tokens_are_refused_even_when_one_is_right(stranger):
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]
    assert (await stranger.get("/v1/campaigns", headers=headers)).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_right_token_opens(stranger, scheme):
    assert (await stranger.get("/v1/campaigns", headers={"Authorization": f"{scheme} {TOKEN}"})).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
async def test_health_and_the_openapi_document_need_no_token(stranger, path):
    assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8470", "", "169.254.169.254", "a@localhost", "["]
)
@pytest.mark.parametrize("path", ["/healthz", "/v1/campaigns"])
async def test_a_name_of_another_site_is_refused_with_or_without_token(api, host, path):
    reply = await api.get(path, headers={"Host": host})
    assert reply.status_code == 403
    assert reply.json()["code"] == "ESC-API-003"


@pytest.mark.parametrize("host", ["localhost:8470", "127.0.0.1:9999", "[::1]:8470", "LOCALHOST"])
async def test_loopback_names_are_ours_by_whatever_port_a_tunnel_uses(api, host):
    assert (await api.get("/v1/campaigns", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:8470", "file://", "http://127.0.0.1:8470/x"],
)
async def test_a_page_of_another_site_cannot_call(api, origin):
    reply = await api.post("/v1/campaigns/agent-2/actions/abort", headers={"Origin": origin})
    assert reply.status_code == 403
    assert reply.json()["code"] == "ESC-API-003"


async def test_a_page_of_this_server_can_call(api):
    assert (await api.get("/v1/campaigns", headers={"Origin": "http://127.0.0.1:8470"})).status_code == 200


async def test_replies_are_kept_by_no_cache_and_taken_for_nothing_else(api):
    reply = await api.get("/v1/campaigns")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_what_a_web_form_can_send_is_no_document(api):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        reply = await api.post("/v1/campaigns", content=b"a: 1", headers={"Content-Type": kind})
        assert reply.status_code == 415, kind
        assert (reply.json()["exit_code"], reply.json()["remedy"][:28]) == (2, "Send one of application/json")


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(api):
    reply = await api.post("/v1/campaigns", content=b"a" * (1024 * 1024 + 1), headers={"Content-Type": "application/yaml"})
    assert reply.status_code == 413
    assert reply.json()["code"] == "ESC-API-004"


async def test_a_body_whose_length_is_not_said_is_refused_where_it_becomes_too_large(api):
    read = 0

    async def endless():
        nonlocal read
        while read < 64 * 1024 * 1024:
            read += 65536
            yield b"a" * 65536

    reply = await api.post("/v1/vnfms", content=endless(), headers={"Content-Type": "application/json"})
    assert reply.status_code == 413
    assert read <= 1024 * 1024 + 2 * 65536


async def test_an_error_inside_is_told_to_nobody(api, services, monkeypatch):
    async def broken(*_args, **_more):
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(type(services.ctx.store.restorations), "open", broken)
    reply = await api.get("/v1/restorations")
    assert reply.status_code == 500
    assert reply.json()["code"] == "ESC-API-008"
    assert "hunter2" not in reply.text


@pytest.mark.parametrize("name", ["\N{SNOWMAN}", "a\r\nSet-Cookie: b=c", "\0", "..", "x" * 5000])
@pytest.mark.parametrize("path", ["/v1/campaigns/{}/actions/start", "/v1/backups/{}/actions/restore"])
async def test_a_name_that_nothing_has_is_not_found_whatever_is_in_it(api, path, name):
    answer = await api.post(path.format(quote(name, safe="")), json={})
    assert answer.status_code in (404, 405)  # two dots are a step up, and there is something else
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
