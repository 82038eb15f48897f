"""Wrong credentials at the VNF managers' listener, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from beds.vnfm.bed import TASK, Bed, opened_bed
from beds.vnfm.subscribing import PATH, check_problem

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


async def test_many_that_guess_at_once_are_held_up_like_one(client: httpx.AsyncClient):
    answers = await asyncio.gather(*(client.get(PATH, headers={"Authorization": f"Bearer {n}"}) for n in range(40)))
    assert {answer.status_code for answer in answers} == {401, 429}


async def test_who_waits_to_be_asked_for_a_credential_is_not_held_up(client: httpx.AsyncClient):
    for _ in range(MOST + 1):
        assert (await client.get(PATH)).status_code == 401
        assert (await client.get(f"{TENANT}/p1")).status_code == 401
