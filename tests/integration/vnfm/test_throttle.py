"""Wrong credentials at the VNF managers' listener, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from beds.vnfm.bed import TASK, Bed, opened_bed
from beds.vnfm.subscribing import PATH, check_problem
from escalator.storage.port import CampaignRow
from escalator.vim_interface.fenix.events import session_id

MOST = 3
TENANT = "/fenix/v1/maintenance/s1"


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("fenix", tmp_path, most_wrong=MOST) as opened:
        opened.tokens["token-of-p1"] = "p1"
        yield opened


@pytest.fixture
async def client(bed: Bed) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=bed.base_url, trust_env=False) as opened:
        yield opened


async def test_after_some_wrong_credentials_nobody_listens_until_the_minute_is_over(client: httpx.AsyncClient, bed: Bed):
    for _ in range(MOST):
        check_problem(await client.get(PATH, headers={"Authorization": "Bearer wrong"}), 401, "ESC-API-002")
    refused = await client.get(PATH, headers={"Authorization": "Bearer wrong"})
    check_problem(refused, 429, "ESC-VIM-021")
    assert refused.headers["retry-after"] == "60"
    await bed.clock.advance(60.0)
    assert (await client.get(PATH, headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_one_with_an_old_token_keeps_nobody_else_out(client: httpx.AsyncClient, bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    for _ in range(MOST):
        assert (await client.get(f"{TENANT}/p2", headers={"X-Auth-Token": "old"})).status_code == 401
    assert (await client.get(f"{TENANT}/p2", headers={"X-Auth-Token": "old"})).status_code == 429
    # Another project is only not found: it was let in. So is who answers at an address.
    assert (await client.get(f"{TENANT}/p1", headers={"X-Auth-Token": "token-of-p1"})).status_code == 404
    (notice,) = await bed.store.notices.for_task(TASK)
    for _ in range(MOST + 1):
        assert (await client.put("/vi-vnfm/v1/replies/0123456789abcdef-forged", json={"result": "ACK"})).status_code == 404
    put = await client.put(f"/vi-vnfm/v1/replies/{notice.reply_token}", json={"result": "ACK"})
    assert put.status_code == 204


async def test_behind_one_proxy_who_was_let_in_is_told_apart_from_who_guesses(client: httpx.AsyncClient, bed: Bed):
    bed.tokens["token-of-p2"] = "p2"
    right, new = {"X-Auth-Token": "token-of-p1"}, {"X-Auth-Token": "newer-token-of-p1"}
    await bed.store.campaigns.add(CampaignRow(name="c1", document={}))
    tenant = f"/fenix/v1/maintenance/{session_id('c1')}"
    for wanted in (f"{tenant}/p1", f"{tenant}/p1"):
        assert (await client.get(wanted, headers=right)).status_code == 200
    for number in range(10 * MOST):
        wrong = await client.get(f"{tenant}/guess-{number}", headers={"X-Auth-Token": f"guess-{number}"})
        assert wrong.status_code == 401
    # The source is held up, but for whom it is known of; a right credential of somebody else is no key to it.
    assert (await client.get(f"{tenant}/guess", headers={"X-Auth-Token": "guess"})).status_code == 429
    assert (await client.get(f"{tenant}/p2", headers={"X-Auth-Token": "token-of-p2"})).status_code == 429
    assert (await client.get(f"{tenant}/p1", headers=right)).status_code == 200
    bed.tokens["newer-token-of-p1"] = "p1"
    assert (await client.get(f"{tenant}/p1", headers=new)).status_code == 200
    # Who guesses under its name is held up, and it is not.
    for number in range(MOST):
        assert (await client.get(f"{tenant}/p1", headers={"X-Auth-Token": f"other-{number}"})).status_code == 401
    assert (await client.get(f"{tenant}/p1", headers={"X-Auth-Token": "other"})).status_code == 429
    for headers in (right, new):
        assert (await client.get(f"{tenant}/p1", headers=headers)).status_code == 200
    # A credential that is taken back is nobody's any more.
    del bed.tokens["token-of-p1"]
    assert (await client.get(f"{tenant}/p1", headers=right)).status_code == 401
    assert (await client.get(f"{tenant}/p1", headers=right)).status_code == 429


async def test_an_answer_that_comes_before_the_credential_was_looked_at_makes_nobody_known(client: httpx.AsyncClient):
    for _ in range(3):
        assert (await client.get("/fenix/v1/nothing/here", headers={"X-Auth-Token": "guess"})).status_code == 404
    for number in range(MOST):
        assert (await client.get(PATH, headers={"Authorization": f"Bearer {number}"})).status_code == 401
    assert (await client.get(PATH, headers={"Authorization": "Bearer wrong"})).status_code == 429
    for _ in range(MOST):
        assert (await client.get(f"{TENANT}/p3", headers={"X-Auth-Token": "guess"})).status_code == 401
    assert (await client.get(f"{TENANT}/p3", headers={"X-Auth-Token": "guess"})).status_code == 429


async def test_many_that_guess_at_once_are_held_up_like_one(client: httpx.AsyncClient):
    answers = await asyncio.gather(*(client.get(PATH, headers={"Authorization": f"Bearer {n}"}) for n in range(40)))
    assert {answer.status_code for answer in answers} == {401, 429}


async def test_who_waits_to_be_asked_for_a_credential_is_not_held_up(client: httpx.AsyncClient):
    for _ in range(MOST + 1):
        assert (await client.get(PATH)).status_code == 401
        assert (await client.get(f"{TENANT}/p1")).status_code == 401
