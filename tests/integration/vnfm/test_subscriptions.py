"""VNF managers that subscribe by themselves, over real HTTP: who may, what is taken, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from beds.vnfm.bed import Bed
from beds.vnfm.processes import vnfm_process
from beds.vnfm.subscribing import (
    AS_1,
    AS_2,
    OTHER,
    PATH,
    TOKEN,
    Peer,
    allow,
    allowed_bed,
    check_problem,
    oauth2,
    paths,
    told,
)
from escalator.model.notice import NoticeType, SubscriptionRight, Vnfm, VnfmNoticeType
from escalator.model.subscription import Subscription
from escalator.vim_interface.subscriptions import MAX_SUBSCRIPTION_BYTES


async def test_a_subscription_is_made_read_and_ended_as_sol_has_it(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer()
    body = {"callbackUri": vnfm.callback_uri, "filter": {"projectIds": ["p1"], "notificationTypes": [*get_args(VnfmNoticeType)]}}
    made = await client.post(PATH, json=body, headers={**AS_1, "Version": "1.0.0"})
    assert made.status_code == 201
    href = f"{bed.base_url}{PATH}/vnfm-1"
    assert made.headers["location"] == href
    assert made.headers["version"] == "1.0.0"
    assert made.json() == {"id": "vnfm-1", **body, "_links": {"self": {"href": href}}}
    assert len(vnfm.lines("tested")) == 1

    assert (await client.get(PATH, headers=AS_1)).json() == [made.json()]
    assert (await client.get(href, headers=AS_1)).json() == made.json()
    await told(bed, "c1/cn-1/1", 1)
    (notified,) = vnfm.lines("notified")
    assert notified["body"]["subscriptionId"] == "vnfm-1"
    assert (await bed.answer("vnfm-1", "c1/cn-1/1")).state == "answered"

    ended = await client.delete(href, headers=AS_1)
    assert (ended.status_code, ended.content) == (204, b"")
    assert (await client.get(PATH, headers=AS_1)).json() == []
    check_problem(await client.get(href, headers=AS_1), 404, "ESC-VIM-001")
    check_problem(await client.delete(href, headers=AS_1), 404, "ESC-VIM-001")
    assert [event.action for event in await bed.store.events.read()] == ["vnfm.subscribe", "vnfm.unsubscribe"]


async def test_without_its_subscription_a_vnf_manager_gets_nothing_and_is_not_taken_for_silent(
    client: httpx.AsyncClient, bed: Bed, peer: Peer
):
    vnfm = peer()
    await client.post(PATH, json={"callbackUri": vnfm.callback_uri}, headers=AS_1)
    await client.delete(f"{PATH}/vnfm-1", headers=AS_1)
    await bed.ask()
    await bed.until_woken(passing=True)
    answer = await bed.answer("vnfm-1")
    assert (answer.state, answer.error) == ("undeliverable", "ESC-VIM-003: VNF manager vnfm-1 has no subscription now.")
    assert vnfm.lines("notified") == []


async def test_who_may_subscribe_and_has_not_is_told_apart_from_who_is_not_reached(bed: Bed):
    vnfm = await bed.store.vnfms.get("vnfm-1")
    assert vnfm is not None
    tested = await bed.vim.test(vnfm)
    assert (tested.ok, tested.code, tested.message) == (False, "ESC-VIM-003", "VNF manager vnfm-1 has no subscription now.")
    assert tested.remedy == "It has to subscribe: POST /vi-vnfm/v1/subscriptions. Nothing is to be done at Escalator."


async def test_who_subscribes_again_while_a_notice_waits_gets_it(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer()
    await bed.ask()
    await bed.until(lambda: bed.clock.sleeping > 0)
    await client.post(PATH, json={"callbackUri": vnfm.callback_uri}, headers=AS_1)
    await bed.clock.advance(6)
    await bed.until(lambda: len(vnfm.lines("notified")) == 1, passing=True)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        "Basic " + base64.b64encode(TOKEN.encode()).decode(),
        "Basic =====",
        f"Digest {TOKEN}",
        "Bearer \xe4\xf6\xfc",
        "Bearer " + "x" * 20000,
    ],
)
async def test_who_is_not_known_learns_nothing_and_changes_nothing(
    client: httpx.AsyncClient, bed: Bed, peer: Peer, header: str | None
):
    vnfm = peer()
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    for method, path in (("POST", PATH), ("GET", PATH), ("GET", f"{PATH}/vnfm-1"), ("DELETE", f"{PATH}/vnfm-1")):
        response = await client.request(method, path, json={"callbackUri": vnfm.callback_uri}, headers=headers)
        problem = check_problem(response, 401, "ESC-API-002")
        assert problem["detail"] == "The credential is missing, or it is nobody's here."
        assert problem["remedy"].endswith("as Authorization: Bearer or Basic.")
        assert response.headers["www-authenticate"].startswith("Bearer")
    assert vnfm.lines() == []
    assert await bed.store.subscriptions.list() == []


async def test_two_credentials_in_one_request_are_none(client: httpx.AsyncClient):
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {OTHER}")]
    check_problem(await client.get(PATH, headers=headers), 401, "ESC-API-002")


async def test_the_credential_may_be_user_and_password_and_counts_as_it_is_now(client: httpx.AsyncClient, bed: Bed):
    await allow(bed, "vnfm-3", "manager:with-a-long-password", kind="basic", projects=("p3",))
    assert (await client.get(PATH, auth=("manager", "with-a-long-password"))).status_code == 200
    assert (await client.get(PATH, auth=("manager", "with-a-long-passwore"))).status_code == 401
    (bed.folder / "vnfm-3-in").write_text("manager:another-long-password")
    assert (await client.get(PATH, auth=("manager", "with-a-long-password"))).status_code == 401
    assert (await client.get(PATH, auth=("manager", "another-long-password"))).status_code == 200
    (bed.folder / "vnfm-3-in").unlink()
    assert (await client.get(PATH, auth=("manager", "another-long-password"))).status_code == 401


async def test_who_may_not_subscribe_is_nobody_even_with_a_credential_that_escalator_knows(client: httpx.AsyncClient, bed: Bed):
    (vnfm, _) = await bed.store.vnfms.list()
    spec = vnfm.spec.model_copy(update={"callback_uri": "http://127.0.0.1:9/", "subscription": SubscriptionRight()})
    await bed.vim.registry.replace(Vnfm(name=vnfm.name, spec=spec))
    check_problem(await client.get(PATH, headers=AS_1), 401, "ESC-API-002")


async def test_one_credential_for_two_lets_neither_in(client: httpx.AsyncClient, bed: Bed):
    (bed.folder / "vnfm-2-in").write_text(TOKEN)
    check_problem(await client.get(PATH, headers=AS_1), 401, "ESC-API-002")


async def test_nobody_sees_or_ends_anothers_subscription(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    await client.post(PATH, json={"callbackUri": peer().callback_uri}, headers=AS_1)
    assert (await client.get(PATH, headers=AS_2)).json() == []
    seen = await client.get(f"{PATH}/vnfm-1", headers=AS_2)
    check_problem(seen, 404, "ESC-VIM-001")
    assert seen.content == (await client.get(f"{PATH}/nobody", headers=AS_2)).content
    check_problem(await client.delete(f"{PATH}/vnfm-1", headers=AS_2), 404, "ESC-VIM-001")
    assert len(await bed.store.subscriptions.list()) == 1


async def test_who_was_down_reads_what_it_still_has_to_answer(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm, mine = peer("--behaviour", "silent"), f"{PATH}/vnfm-1/notices"
    check_problem(await client.get(mine, headers=AS_1), 404, "ESC-VIM-001")
    await client.post(PATH, json={"callbackUri": vnfm.callback_uri}, headers=AS_1)
    assert (await client.get(mine, headers=AS_1)).json() == []
    first, second = [(await bed.ask(f"c1/cn-1/{number}"))[0] for number in (1, 2)]
    for number in (1, 2):  # it logs a notice before it answers, and until then the notice is not delivered
        await bed.until_state("vnfm-1", "delivered", f"c1/cn-1/{number}")
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="k")
    found = await client.get(mine, headers={**AS_1, "Version": "1.0.0"})
    assert (found.status_code, found.headers["version"], found.headers["cache-control"]) == (200, "1.0.0", "no-store")
    assert {notice["id"] for notice in found.json()} == {first, second}
    for notice in found.json():
        assert (await client.get(notice["replyUri"])).json() == notice
    uri = next(notice["replyUri"] for notice in found.json() if notice["id"] == first)
    assert (await client.put(uri, json={"result": "ACK"})).status_code == 204
    assert [notice["id"] for notice in (await client.get(mine, headers=AS_1)).json()] == [second]

    check_problem(await client.get(mine), 401, "ESC-API-002")
    check_problem(await client.get(mine, headers=AS_2), 404, "ESC-VIM-001")
    await client.post(PATH, json={"callbackUri": vnfm.callback_uri}, headers=AS_2)
    assert (await client.get(f"{PATH}/vnfm-2/notices", headers=AS_2)).json() == []


async def test_the_same_again_leads_to_the_first_and_anything_else_is_a_conflict(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer()
    body = {"callbackUri": vnfm.callback_uri, "filter": {"vnfInstanceIds": ["a", "b"]}}
    await client.post(PATH, json=body, headers=AS_1)
    (before,) = await bed.store.subscriptions.list()
    again = {"callbackUri": vnfm.callback_uri, "filter": {"vnfInstanceIds": ["b", "a"]}}
    same = await client.post(PATH, json=again, headers=AS_1)
    assert (same.status_code, same.content) == (303, b"")
    assert same.headers["location"] == f"{bed.base_url}{PATH}/vnfm-1"
    for other in ({"callbackUri": vnfm.callback_uri}, {**body, "callbackUri": vnfm.callback_uri + "?x"}):
        check_problem(await client.post(PATH, json=other, headers=AS_1), 409, "ESC-VIM-018")
    assert await bed.store.subscriptions.list() == [before]
    assert len(vnfm.lines("tested")) == 1


async def test_a_second_one_while_the_first_is_tested_is_asked_to_come_back(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer("--behaviour", "test-hang")
    body = {"callbackUri": vnfm.callback_uri}
    waiting = asyncio.create_task(client.post(PATH, json=body, headers=AS_1))
    await bed.until(lambda: len(vnfm.lines("tested")) == 1)
    busy = await client.post(PATH, json=body, headers=AS_1)
    check_problem(busy, 503, "ESC-VIM-018")
    assert busy.headers["retry-after"] == "5"
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("test-200", "the answer was 200"),
        ("redirect", "the answer was 307"),
        ("error-500", "the answer was 500"),
        ("error-400", "the answer was 400"),
    ],
)
async def test_an_address_that_does_not_answer_its_test_with_204_is_refused(
    client: httpx.AsyncClient, bed: Bed, peer: Peer, behaviour: str, reason: str
):
    vnfm = peer("--behaviour", behaviour)
    problem = check_problem(await client.post(PATH, json={"callbackUri": vnfm.callback_uri}, headers=AS_1), 422, "ESC-VIM-017")
    assert paths(problem) == ["callbackUri"]
    assert reason in problem["problems"][0]["message"]
    assert [line["path"] for line in vnfm.lines("tested")] == ["/notices"]
    assert await bed.store.subscriptions.list() == []


async def test_an_address_that_hangs_or_is_not_there_is_refused_in_time(tmp_path: Path):
    async with allowed_bed(tmp_path, timeout_s=0.3) as bed, httpx.AsyncClient(base_url=bed.base_url, trust_env=False) as client:
        vnfm = bed.stack.enter_context(vnfm_process(tmp_path / "log", "--behaviour", "test-hang"))
        for uri, reason in ((vnfm.callback_uri, "did not answer within 0.3 s"), ("http://127.0.0.1:9/x", "cannot be reached")):
            response = await client.post(PATH, json={"callbackUri": uri}, headers=AS_1)
            problem = check_problem(response, 422, "ESC-VIM-017")
            assert reason in problem["problems"][0]["message"]
        vnfm.control(behaviour="moves")
        assert (await client.post(PATH, json={"callbackUri": vnfm.callback_uri}, headers=AS_1)).status_code == 201


@pytest.mark.parametrize(
    "uri",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://0.0.0.0:8470/",
        "http://127.0.0.2/",
        "http://10.0.0.1/notices",
        "http://vnfm.example/notices",
        "http://127.0.0.1.vnfm.example/",
        "http://localhost.vnfm.example/",
        "http://host:99999/",
        "http://127.0.0.1/#part",
    ],
)
async def test_addresses_that_are_not_allowed_are_never_called(client: httpx.AsyncClient, bed: Bed, uri: str):
    problem = check_problem(await client.post(PATH, json={"callbackUri": uri}, headers=AS_1), 422, "ESC-VIM-017")
    assert paths(problem) == ["callbackUri"]
    assert "test" not in problem["problems"][0]["message"]
    body = {"callbackUri": "http://127.0.0.1:9/", "authentication": oauth2(uri)}
    problem = check_problem(await client.post(PATH, json=body, headers=AS_1), 422, "ESC-VIM-017")
    assert paths(problem) == ["authentication.paramsOauth2ClientCredentials.tokenEndpoint"]
    assert await bed.store.subscriptions.list() == []


async def test_an_operator_allows_hosts_for_one_vnf_manager_and_takes_them_away(bed: Bed, peer: Peer, client: httpx.AsyncClient):
    vnfm = peer()
    uri = vnfm.callback_uri.replace("127.0.0.1", "127.0.0.3")
    (before, _) = await bed.store.vnfms.list()

    async def allow_hosts(*hosts: str) -> None:
        right = before.spec.subscription.model_copy(update={"hosts": hosts})
        await bed.vim.registry.replace(before.model_copy(update={"spec": before.spec.model_copy(update={"subscription": right})}))

    assert "does not allow" in (await client.post(PATH, json={"callbackUri": uri}, headers=AS_1)).text
    await allow_hosts("127.0.0.2/31")
    assert "cannot be reached" in (await client.post(PATH, json={"callbackUri": uri}, headers=AS_1)).text
    await bed.store.subscriptions.add(Subscription(vnfm="vnfm-1", callback_uri=uri))
    await allow_hosts()
    reached = await bed.vim.test((await bed.store.vnfms.list())[0])
    assert (reached.ok, reached.code) == (False, "ESC-VIM-009")
    assert "not allowed any more" in reached.message


@pytest.mark.parametrize(
    ("wanted", "status", "code", "path"),
    [
        ({"projectIds": ["p1", "p7"]}, 422, "ESC-VIM-017", "filter.projectIds"),
        ({"projectIds": ["p9"]}, 422, "ESC-VIM-017", "filter.projectIds"),
        ({"vnfInstanceIds": ["amf-2"]}, 409, "ESC-VIM-018", None),
        ({"projectIds": []}, 422, "ESC-VIM-017", "filter.projectIds"),
        ({"resourceIds": ["x" * 256]}, 422, "ESC-VIM-017", "filter.resourceIds[0]"),
        ({"resourceIds": [str(n) for n in range(1001)]}, 422, "ESC-VIM-017", "filter.resourceIds"),
        ({"notificationTypes": ["Nonsense"]}, 422, "ESC-VIM-017", "filter.notificationTypes[0]"),
        # Told to orchestrators, and on the message bus: who wants these alone would never be asked.
        ({"notificationTypes": ["MaintenanceWindowsNotification"]}, 422, "ESC-VIM-017", "filter.notificationTypes[0]"),
        ({"notificationTypes": ["HostAvailable", "ProjectEvent"]}, 422, "ESC-VIM-017", "filter.notificationTypes[1]"),
        ({"tenantIds": ["p1"]}, 422, "ESC-VIM-017", "filter.tenantIds"),
    ],
)
async def test_a_filter_stays_within_what_is_owned(
    client: httpx.AsyncClient, bed: Bed, peer: Peer, wanted: Any, status: int, code: str, path: str | None
):
    vnfm = peer()
    response = await client.post(PATH, json={"callbackUri": vnfm.callback_uri, "filter": wanted}, headers=AS_1)
    problem = check_problem(response, status, code)
    assert path is None or path in paths(problem)
    assert "vnfm-2" not in response.text
    assert vnfm.lines() == []
    assert await bed.store.subscriptions.list() == []


async def test_a_vnf_manager_is_told_of_what_its_filter_wants_and_of_nothing_else(
    client: httpx.AsyncClient, bed: Bed, peer: Peer
):
    vnfm = peer()
    wanted = {"resourceIds": ["vm-9"], "notificationTypes": ["HostMaintenanceUpcoming", "MaintenancePlanned"]}
    await client.post(PATH, json={"callbackUri": vnfm.callback_uri, "filter": wanted}, headers=AS_1)
    await told(bed, "c1/cn-1/1", 1)
    assert await bed.vim.answers("c1/cn-1/1") == ()
    for kind in (NoticeType.MAINTENANCE_PLANNED, NoticeType.CAMPAIGN_COMPLETED):
        await bed.vim.tell(kind, "c1", vnfms=("vnfm-1",), key="k")
    await bed.until(lambda: len(vnfm.lines("notified")) == 1)
    assert [kind for kind, _ in bed.heard("vnfm-1")] == ["MaintenancePlanned"]
    assert [notice.type for notice in await bed.store.notices.list("c1")] == [NoticeType.MAINTENANCE_PLANNED]


async def test_who_does_not_want_withdrawals_gets_none(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer("--behaviour", "silent")
    wanted = {"notificationTypes": ["HostMaintenanceUpcoming"]}
    await client.post(PATH, json={"callbackUri": vnfm.callback_uri, "filter": wanted}, headers=AS_1)
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    await bed.vim.cancel("c1/cn-1/1")
    assert [notice.type for notice in await bed.store.notices.list("c1")] == [NoticeType.HOST_MAINTENANCE_UPCOMING]


async def test_who_wants_no_questions_is_not_asked(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    wanted = {"notificationTypes": ["HostAvailable"]}
    await client.post(PATH, json={"callbackUri": peer().callback_uri, "filter": wanted}, headers=AS_1)
    await told(bed, "c1/cn-1/1", 1)
    assert await bed.vim.answers("c1/cn-1/1") == ()


async def test_a_right_that_was_taken_away_takes_the_subscription_out_of_use(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm, other = peer(), peer(name="other")
    body = {"callbackUri": vnfm.callback_uri, "filter": {"resourceIds": ["vm-9"]}}
    await client.post(PATH, json=body, headers=AS_1)
    (before, _) = await bed.store.vnfms.list()
    spec = before.spec.model_copy(update={"callback_uri": other.callback_uri, "subscription": SubscriptionRight()})
    await bed.vim.registry.replace(Vnfm(name="vnfm-1", spec=spec))
    await told(bed, "c1/cn-1/1", 1)
    assert (len(vnfm.lines("notified")), len(other.lines("notified"))) == (0, 1)


async def test_a_filter_for_its_instance_leaves_it_asked(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    vnfm = peer()
    wanted = {"projectIds": ["p1"], "resourceIds": ["vm-9", "vm-1"]}
    await client.post(PATH, json={"callbackUri": vnfm.callback_uri, "filter": wanted}, headers=AS_1)
    await bed.ask()
    await bed.until(lambda: len(vnfm.lines("notified")) == 1)


async def test_bodies_that_are_no_subscription_are_refused(client: httpx.AsyncClient, bed: Bed):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_SUBSCRIPTION_BYTES // 1024 + 2):
            yield b" " * 1024

    for content in (b" " * (MAX_SUBSCRIPTION_BYTES + 1), endless()):
        check_problem(await client.post(PATH, content=content, headers=AS_1), 413, "ESC-API-004")
    deep = b'{"callbackUri":' + b"[" * 5000 + b"]" * 5000 + b"}"
    yaml, twice, latin = b"callbackUri: http://127.0.0.1/", b'{"a":1,"a":2}', b'{"callbackUri":"\xff"}'
    for content in (b"", b"[]", yaml, b"{", b"{}", twice, deep, latin):
        check_problem(await client.post(PATH, content=content, headers=AS_1), 422, "ESC-VIM-017")
    text = {**AS_1, "Content-Type": "text/plain"}
    check_problem(await client.post(PATH, content=b"{}", headers=text), 415, "ESC-API-001")
    check_problem(await client.post(PATH, content=b"{}", headers={**AS_1, "Version": "2.0.0"}), 406, "ESC-API-001")
    check_problem(await client.get(PATH, headers={**AS_1, "Version": "2.0.0"}), 406, "ESC-API-001")
    check_problem(await client.patch(PATH, content=b"{}", headers=AS_1), 405, "ESC-API-009")
    assert await bed.store.subscriptions.list() == []


async def test_a_registration_that_is_removed_takes_its_subscription_along(client: httpx.AsyncClient, bed: Bed, peer: Peer):
    await client.post(PATH, json={"callbackUri": peer().callback_uri}, headers=AS_1)
    await bed.store.vnfms.remove("vnfm-1")
    assert await bed.store.subscriptions.list() == []
    check_problem(await client.get(PATH, headers=AS_1), 401, "ESC-API-002")


def test_the_committed_document_has_the_paths():
    document = json.loads((Path(__file__).parents[3] / "docs/reference/openapi-vnfm.json").read_text())
    assert {*document["paths"][PATH]} == {"get", "post"}
    assert {*document["paths"][PATH + "/{subscription}"]} == {"get", "delete"}
    assert {*document["paths"][PATH + "/{subscription}/notices"]} == {"get"}
