"""Notices to VNF managers that have subscribed: each kind of authentication over real HTTP, and what becomes of secrets."""

from __future__ import annotations

import asyncio
import base64
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from beds.vnfm.authority import Authority
from beds.vnfm.bed import TURNS, Bed
from beds.vnfm.processes import vnfm_process
from beds.vnfm.subscribing import (
    AS_1,
    BASIC,
    PATH,
    SECRET,
    TOKEN,
    Peer,
    allowed_bed,
    check_problem,
    oauth2,
    paths,
    told,
)
from escalator.model.notice import Auth, Vnfm, VnfmSpec
from escalator.model.subscription import Subscription
from escalator.storage.opening import open_sqlite

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "vnfm.py"


async def test_with_basic_authentication_notices_carry_user_and_password(
    client: httpx.AsyncClient, bed: Bed, peer: Peer, capsys: pytest.CaptureFixture[str]
):
    vnfm = peer("--credential", f"escalator:{SECRET}")
    wrong = {**BASIC, "paramsBasic": {"userName": "escalator", "password": "something-else"}}
    body = {"callbackUri": vnfm.callback_uri, "authentication": wrong}
    refused = await client.post(PATH, json=body, headers=AS_1)
    assert "the answer was 401" in check_problem(refused, 422, "ESC-VIM-017")["problems"][0]["message"]
    assert "something-else" not in refused.text

    made = await client.post(PATH, json=body | {"authentication": BASIC}, headers=AS_1)
    assert made.status_code == 201
    await told(bed, "c1/cn-1/1", 1)
    assert (await bed.answer("vnfm-1", "c1/cn-1/1")).state == "answered"
    read = await client.get(f"{PATH}/vnfm-1", headers=AS_1)
    kept = repr(await bed.store.subscriptions.list()) + repr(await bed.store.events.read())
    shown = made.text + read.text + kept + capsys.readouterr().out
    assert SECRET not in shown
    assert base64.b64encode(f"escalator:{SECRET}".encode()).decode() not in shown
    assert "authentication" not in read.json()


async def test_with_oauth2_tokens_are_fetched_kept_renewed_and_replaced_when_they_are_refused(
    client: httpx.AsyncClient, bed: Bed, peer: Peer
):
    vnfm = peer("--oauth", f"escalator:{SECRET}", "--token-life", "100")
    endpoint = vnfm.callback_uri.replace("/notices", "/token")
    wrong = {"callbackUri": vnfm.callback_uri, "authentication": oauth2(endpoint, "x")}
    refused = await client.post(PATH, json=wrong, headers=AS_1)
    message = check_problem(refused, 422, "ESC-VIM-017")["problems"][0]["message"]
    assert "ESC-VIM-004" in message
    body = {"callbackUri": vnfm.callback_uri, "authentication": oauth2(endpoint)}
    assert (await client.post(PATH, json=body, headers=AS_1)).status_code == 201
    tokens = len(vnfm.lines("token"))

    for number in (1, 2):
        await told(bed, f"c1/cn-1/{number}", number)
    assert len(vnfm.lines("token")) == tokens  # that of the test is still good
    await bed.clock.advance(94)
    await told(bed, "c1/cn-1/3", 3)
    assert len(vnfm.lines("token")) == tokens
    await bed.clock.advance(2)
    await told(bed, "c1/cn-1/4", 4)
    assert len(vnfm.lines("token")) == tokens + 1
    vnfm.control(revoke=True)
    await told(bed, "c1/cn-1/5", 5)
    assert len(vnfm.lines("token")) == tokens + 2
    assert {(await bed.answer("vnfm-1", f"c1/cn-1/{n}")).state for n in range(1, 6)} == {"answered"}
    assert [line["status"] for line in vnfm.lines("notified")][-2:] == [401, 204]
    assert SECRET not in (await client.get(PATH, headers=AS_1)).text + repr(await bed.store.subscriptions.list())


async def test_who_subscribes_again_with_a_new_secret_is_told_with_that_one(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer("--oauth", f"escalator:{SECRET}")
    endpoint = vnfm.callback_uri.replace("/notices", "/token")
    body = {"callbackUri": vnfm.callback_uri, "authentication": oauth2(endpoint)}
    assert (await client.post(PATH, json=body, headers=AS_1)).status_code == 201
    (before,) = await bed.store.subscriptions.list()
    assert (await client.post(PATH, json=body, headers=AS_1)).status_code == 303
    assert await bed.store.subscriptions.list() == [before]

    wrong = {"callbackUri": vnfm.callback_uri, "authentication": oauth2(endpoint, "not-the-new-one")}
    problem = check_problem(await client.post(PATH, json=wrong, headers=AS_1), 422, "ESC-VIM-017")
    assert "ESC-VIM-004" in problem["problems"][0]["message"]
    assert await bed.store.subscriptions.list() == [before]

    vnfm.control(oauth="escalator:rotated", revoke=True)
    new = {"callbackUri": vnfm.callback_uri, "authentication": oauth2(endpoint, "rotated")}
    again = await client.post(PATH, json=new, headers=AS_1)
    assert (again.status_code, again.headers["location"]) == (303, f"{bed.base_url}{PATH}/vnfm-1")
    vnfm.control(revoke=True)
    await told(bed, "c1/cn-1/1", 1)
    assert (await bed.answer("vnfm-1", "c1/cn-1/1")).state == "answered"
    assert [e.message.partition(":")[0] for e in await bed.store.events.read() if e.action == "vnfm.subscribe"] == [
        "by itself",
        "new credentials",
    ]


async def test_secrets_that_cannot_be_read_any_more_are_replaced(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer("--credential", f"escalator:{SECRET}")
    body = {"callbackUri": vnfm.callback_uri, "authentication": BASIC}
    assert (await client.post(PATH, json=body, headers=AS_1)).status_code == 201
    (row,) = await bed.store.subscriptions.list()
    await bed.store.subscriptions.replace(replace(row, sealed="of-another-key"))
    assert (await client.post(PATH, json=body, headers=AS_1)).status_code == 303
    await told(bed, "c1/cn-1/1", 1)
    assert (await bed.answer("vnfm-1", "c1/cn-1/1")).state == "answered"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("redirect", "answered 307"), ("garbage", "something else"), ("flood", "something else"), ("error", "answered 500")],
)
async def test_a_token_endpoint_that_answers_anything_else_is_no_token_endpoint(
    client: httpx.AsyncClient, bed: Bed, peer: Peer, behaviour: str, reason: str
):
    vnfm = peer("--oauth", f"escalator:{SECRET}")
    vnfm.control(token_behaviour=behaviour)
    body = {"callbackUri": vnfm.callback_uri, "authentication": oauth2(vnfm.callback_uri.replace("/notices", "/token"))}
    problem = check_problem(await client.post(PATH, json=body, headers=AS_1), 422, "ESC-VIM-017")
    assert reason in problem["problems"][0]["message"]
    assert await bed.store.subscriptions.list() == []


async def test_a_token_that_is_refused_twice_ends_the_delivery(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer("--oauth", f"escalator:{SECRET}")
    body = {"callbackUri": vnfm.callback_uri, "authentication": oauth2(vnfm.callback_uri.replace("/notices", "/token"))}
    await client.post(PATH, json=body, headers=AS_1)
    tokens = len(vnfm.lines("token"))
    vnfm.control(token_behaviour="worthless", revoke=True)
    await bed.ask()
    await bed.until(lambda: len(vnfm.lines("notified")) == 2)
    await bed.until_state("vnfm-1", "undeliverable")
    assert (await bed.answer("vnfm-1")).error.startswith("ESC-VIM-004")
    assert len(vnfm.lines("token")) == tokens + 1


async def test_with_tls_cert_escalator_shows_its_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    server, ours = authority.issue("vnfm"), authority.issue("escalator")
    body: dict[str, Any] = {"authentication": {"authType": ["TLS_CERT"]}}
    async with (
        allowed_bed(tmp_path, certificate=ours) as bed,
        httpx.AsyncClient(base_url=bed.base_url, trust_env=False) as client,
    ):
        arguments = ("--tls", str(server), "--client-ca", str(authority.file))
        vnfm = bed.stack.enter_context(vnfm_process(tmp_path / "log", *arguments))
        uri = vnfm.callback_uri
        plain = await client.post(PATH, json=body | {"callbackUri": uri.replace("https:", "http:")}, headers=AS_1)
        assert "https" in check_problem(plain, 422, "ESC-VIM-017")["problems"][0]["message"]
        # The refusal comes before or after what is sent, as it happens: either is one.
        for _ in range(30):
            check_problem(await client.post(PATH, json={"callbackUri": uri}, headers=AS_1), 422, "ESC-VIM-017")
        assert vnfm.lines() == []

        made = await client.post(PATH, json=body | {"callbackUri": uri}, headers=AS_1)
        assert made.status_code == 201, made.text
        await told(bed, "c1/cn-1/1", 1)
        assert [line["certificate"] for line in vnfm.lines("tested")] == ["escalator"]
        assert [line["certificate"] for line in vnfm.lines("notified")] == ["escalator"]
        # A certificate of another authority counts from the next notice on, and is refused.
        (tmp_path / "elsewhere").mkdir()
        ours.write_bytes(Authority(tmp_path / "elsewhere", "stranger").issue("escalator").read_bytes())
        await bed.ask("c1/cn-1/2")
        for _ in range(TURNS):
            if (await bed.notice("vnfm-1", "c1/cn-1/2")).attempts:
                break
            await asyncio.sleep(0.005)
        assert (await bed.notice("vnfm-1", "c1/cn-1/2")).error_code == "ESC-VIM-003"
        assert len(vnfm.lines("notified")) == 1


async def test_with_tls_cert_a_trust_store_that_changes_counts_at_the_next_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    known, other = Authority(tmp_path), Authority(tmp_path, "other")
    trust = tmp_path / "trust.pem"
    trust.write_bytes(known.file.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(trust))
    async with allowed_bed(tmp_path, certificate=known.issue("escalator")) as bed:
        arguments = ("--tls", str(other.issue("vnfm")), "--client-ca", str(known.file))
        process = bed.stack.enter_context(vnfm_process(tmp_path / "log", *arguments))
        spec = VnfmSpec(callback_uri=process.callback_uri, auth=Auth(type="tls-cert"), projects=("p2",))
        vnfm = Vnfm(name="vnfm-4", spec=spec)
        assert not (await bed.vim.test(vnfm)).ok
        trust.write_bytes(known.file.read_bytes() + other.file.read_bytes())
        assert (await bed.vim.test(vnfm)).ok
        # What is taken out of it is trusted no more.
        trust.write_bytes(known.file.read_bytes())
        assert not (await bed.vim.test(vnfm)).ok
        assert [line["certificate"] for line in process.lines()] == ["escalator"]


async def test_without_a_certificate_of_ours_tls_cert_alone_is_refused(client: httpx.AsyncClient):
    body = {"callbackUri": "https://127.0.0.1:9/", "authentication": {"authType": ["TLS_CERT"]}}
    problem = check_problem(await client.post(PATH, json=body, headers=AS_1), 422, "ESC-VIM-017")
    assert paths(problem) == ["authentication.authType"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"authType": ["BASIC"]}, "authentication.paramsBasic"),
        ({"authType": ["OAUTH2_CLIENT_CREDENTIALS"]}, "authentication.paramsOauth2ClientCredentials"),
        ({"authType": ["TLS_CERT", "BASIC"]}, "authentication.paramsBasic"),
        (BASIC | {"authType": ["TLS_CERT"]}, "authentication.paramsBasic"),
        (BASIC | {"authType": []}, "authentication.authType"),
        (BASIC | {"authType": ["OAUTH2_CLIENT_CERT"]}, "authentication.authType[0]"),
        ({"authType": ["BASIC"], "paramsBasic": {"userName": "u", "password": 5550199}}, "authentication.paramsBasic.password"),
        ({"authType": ["BASIC"], "paramsBasic": {"userName": "u:v", "password": SECRET}}, "authentication.paramsBasic.userName"),
        ({"authType": ["BASIC"], "paramsBasic": {"userName": "u", "password": f"{SECRET}\r\nX: y"}}, None),
    ],
)
async def test_authentication_that_does_not_fit_is_refused_without_repeating_a_secret(
    client: httpx.AsyncClient, peer: Peer, given: Any, path: str | None
):
    vnfm = peer()
    response = await client.post(PATH, json={"callbackUri": vnfm.callback_uri, "authentication": given}, headers=AS_1)
    problem = check_problem(response, 422, "ESC-VIM-017")
    assert path is None or path in paths(problem)
    assert SECRET not in response.text
    assert "5550199" not in response.text
    assert vnfm.lines() == []


async def test_secrets_are_encrypted_in_the_database_and_open_only_for_their_own_row(
    client: httpx.AsyncClient, bed: Bed, peer: Peer, tmp_path: Path
):
    vnfm = peer("--credential", f"escalator:{SECRET}")
    await client.post(PATH, json={"callbackUri": vnfm.callback_uri, "authentication": BASIC}, headers=AS_1)
    (row,) = await bed.store.subscriptions.list()
    async with open_sqlite(tmp_path / "kept.sqlite") as store:
        await store.vnfms.add((await bed.store.vnfms.list())[0])
        await store.subscriptions.add(row)
    with sqlite3.connect(tmp_path / "kept.sqlite") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert SECRET not in dump
    assert "vnfm-1" in dump

    # Who can write to the database leads the secret nowhere else.
    await bed.store.subscriptions.remove("vnfm-1")
    moved = {**{name: getattr(row, name) for name in row.__dataclass_fields__}, "callback_uri": vnfm.callback_uri + "/elsewhere"}
    await bed.store.subscriptions.add(Subscription(**moved))
    reached = await bed.vim.test((await bed.store.vnfms.list())[0])
    assert (reached.ok, reached.code) == (False, "ESC-VIM-010")
    assert len(vnfm.lines("tested")) == 1


async def test_an_operator_may_register_oauth2_with_a_credential_file(bed: Bed, peer: Peer):
    vnfm = peer("--oauth", f"escalator:{SECRET}", name="vnfm-4")
    (bed.folder / "client").write_text(f"escalator:{SECRET}")
    (bed.folder / "client").chmod(0o600)
    auth = Auth(type="oauth2", credential="client", token_endpoint=vnfm.callback_uri.replace("/notices", "/token"))
    spec = VnfmSpec(callback_uri=vnfm.callback_uri, auth=auth, projects=("p2",))
    await bed.vim.registry.add(Vnfm(name="vnfm-4", spec=spec))
    await bed.ask()
    await bed.until_state("vnfm-4", "answered")
    (bed.folder / "client").write_text("escalator:changed")
    found = await bed.vim.test(Vnfm(name="vnfm-4", spec=spec))
    assert (found.ok, found.code) == (False, "ESC-VIM-004")


async def test_the_example_of_the_tutorial_subscribes_and_is_led_to_its_subscription_when_it_starts_again(bed: Bed):
    (bed.folder / "token").write_text(TOKEN + "\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    lines = [f"listening on http://127.0.0.1:{port}/notices", f"subscribed: {bed.base_url}{PATH}/vnfm-1"]
    async with running_example(port, bed.base_url, bed.folder / "token") as first:
        assert await first(2) == lines
    async with running_example(port, bed.base_url, bed.folder / "token") as again:
        assert await again(2) == lines
        await told(bed, "c1/cn-1/1", 1)
        assert await again(2) == ["HostMaintenanceUpcoming c1 cn-1", "  replied ACK {'vm-1': 'LIVE_MIGRATE'} -> 204"]


async def test_the_example_says_why_it_could_not_subscribe(bed: Bed):
    (bed.folder / "token").write_text("of nobody")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with running_example(port, bed.base_url, bed.folder / "token") as example:
        _, said = await example(2)
        assert said.startswith("not subscribed: 401")
        assert "ESC-API-002" in said


@asynccontextmanager
async def running_example(port: int, *arguments: object) -> AsyncIterator[Callable[[int], Awaitable[list[str]]]]:
    """Run it as the tutorial does; gives a function that reads so many lines of what it says."""
    command = [sys.executable, str(EXAMPLE), str(port), *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout

    async def read(lines: int) -> list[str]:
        return [(await asyncio.wait_for(output.readline(), 20)).decode().rstrip("\n") for _ in range(lines)]

    try:
        yield read
    finally:
        process.kill()
        await process.wait()
