"""A VNF manager whose replies have to show its credential, as a process over HTTP: an address that leaked is not enough then."""

from __future__ import annotations

import base64

import httpx
import pytest

from beds.vnfm.bed import TASK, Bed
from beds.vnfm.subscribing import AS_1, AS_2, TOKEN, Peer, check_problem
from escalator.model.errors import ConflictError, InputError
from escalator.model.notice import Reply, SubscriptionRight, Vnfm, VnfmSpec

ACK = {"result": "ACK"}


async def demand(bed: Bed, uri: str, *, kind: str = "bearer", secret: str = TOKEN) -> None:
    """The operator asks for the credential with replies."""
    (bed.folder / "vnfm-1-in").write_text(secret + "\n")
    right = SubscriptionRight.model_validate({"type": kind, "credential": "vnfm-1-in", "replies": "credential"})
    spec = VnfmSpec(callback_uri=uri, projects=("p1",), subscription=right)
    await bed.vim.registry.replace(Vnfm(name="vnfm-1", spec=spec))


async def test_with_its_credential_the_answer_counts(bed: Bed, peer: Peer) -> None:
    vnfm = peer("--shows", TOKEN)
    await demand(bed, vnfm.callback_uri)
    await bed.ask()
    await bed.until_woken()
    assert (await bed.answer("vnfm-1")).result == "ACK"
    await bed.until(lambda: len(vnfm.lines("replied")) == 1)
    assert [line["status"] for line in vnfm.lines("replied")] == [204]


@pytest.mark.parametrize("shown", [(), ("--shows", TOKEN + "x")])
async def test_without_it_the_answer_is_refused_and_that_is_silence(bed: Bed, peer: Peer, shown: tuple[str, ...]) -> None:
    vnfm = peer(*shown)
    await demand(bed, vnfm.callback_uri)
    await bed.ask()
    await bed.until(lambda: len(vnfm.lines("replied")) == 1)
    assert [line["status"] for line in vnfm.lines("replied")] == [401]
    notice = await bed.notice("vnfm-1")
    assert (notice.reply, await bed.store.notices.replies(notice.id)) == (None, [])
    await bed.until_woken(passing=True)
    assert (await bed.answer("vnfm-1")).state == "silent"


@pytest.mark.parametrize("headers", [{}, AS_2, {"Authorization": "Bearer"}, {"Authorization": f"Basic {TOKEN}"}])
async def test_neither_reading_nor_answering_is_for_others(
    client: httpx.AsyncClient, bed: Bed, peer: Peer, headers: dict[str, str]
) -> None:
    await demand(bed, peer("--behaviour", "silent").callback_uri)
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    address = f"/vi-vnfm/v1/replies/{(await bed.notice('vnfm-1')).reply_token}"
    refused = await client.put(address, json=ACK, headers=headers)
    check_problem(refused, 401, "ESC-API-002")
    assert "Bearer" in refused.headers["www-authenticate"]
    check_problem(await client.get(address, headers=headers), 401, "ESC-API-002")
    unknown = await client.put(f"{address}x", json=ACK, headers=headers)
    check_problem(unknown, 404, "ESC-VIM-001")
    assert (await client.get(address, headers=AS_1)).status_code == 200
    assert (await client.put(address, json=ACK, headers=AS_1)).status_code == 204


async def test_it_may_be_user_and_password_and_counts_as_it_is_now(client: httpx.AsyncClient, bed: Bed, peer: Peer) -> None:
    await demand(bed, peer("--behaviour", "silent").callback_uri, kind="basic", secret="core:the-first-password")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    address = f"/vi-vnfm/v1/replies/{(await bed.notice('vnfm-1')).reply_token}"
    first, second = (
        {"Authorization": "Basic " + base64.b64encode(f"core:the-{word}-password".encode()).decode()}
        for word in ("first", "second")
    )
    assert (await client.get(address, headers=first)).status_code == 200
    (bed.folder / "vnfm-1-in").write_text("core:the-second-password")
    check_problem(await client.put(address, json=ACK, headers=first), 401, "ESC-API-002")
    assert (await client.put(address, json=ACK, headers=second)).status_code == 204


async def test_who_is_removed_is_not_heard_any_more(client: httpx.AsyncClient, bed: Bed, peer: Peer) -> None:
    await demand(bed, peer("--behaviour", "silent").callback_uri)
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    notice = await bed.notice("vnfm-1")
    address = f"/vi-vnfm/v1/replies/{notice.reply_token}"
    await bed.vim.unregistered.remove("vnfm-1")
    for headers in ({}, AS_1):
        check_problem(await client.put(address, json=ACK, headers=headers), 404, "ESC-VIM-001")
        check_problem(await client.get(address, headers=headers), 404, "ESC-VIM-001")
    with pytest.raises(ConflictError):  # nor is a person in its place: nobody waits for it
        await bed.vim.reply(notice.id, Reply(result="NACK"))


async def test_what_one_without_a_credential_was_asked_can_be_read_after_its_removal(
    client: httpx.AsyncClient, bed: Bed, peer: Peer
) -> None:
    spec = VnfmSpec(callback_uri=peer("--behaviour", "silent").callback_uri, projects=("p1",))
    await bed.vim.registry.replace(Vnfm(name="vnfm-1", spec=spec))
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    address = f"/vi-vnfm/v1/replies/{(await bed.notice('vnfm-1')).reply_token}"
    await bed.vim.unregistered.remove("vnfm-1")
    assert (await client.get(address)).json()["state"] == "cancelled"
    check_problem(await client.put(address, json=ACK), 409, "ESC-VIM-006")


async def test_a_person_may_still_answer_for_it(bed: Bed, peer: Peer) -> None:
    await demand(bed, peer("--behaviour", "silent").callback_uri)
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    notice = await bed.notice("vnfm-1", TASK)
    await bed.vim.reply(notice.id, Reply(result="ACK"))
    assert (await bed.answer("vnfm-1")).result == "ACK"


async def test_who_has_no_credential_cannot_be_asked_for_it(bed: Bed) -> None:
    right = SubscriptionRight(replies="credential")
    spec = VnfmSpec(callback_uri="http://127.0.0.1:9/x", projects=("p1",), subscription=right)
    with pytest.raises(InputError) as refused:
        await bed.vim.registry.replace(Vnfm(name="vnfm-1", spec=spec))
    assert [problem.path for problem in refused.value.problems] == ["spec.subscription.type"]
