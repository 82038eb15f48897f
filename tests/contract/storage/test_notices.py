"""Outbox and inbox, over every kind of storage."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from itertools import cycle

import pytest

from contract.storage.samples import AWKWARD, FULL_NOTICE, REPLY, event, notice
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.model.notice import AffectedResource, NoticeState, Reply
from escalator.storage.port import Store


async def test_a_notice_comes_back_as_it_was_given(store: Store) -> None:
    plain = notice("m2")
    await store.notices.add([FULL_NOTICE, plain])
    await store.notices.add([])
    assert await store.notices.get(FULL_NOTICE.id) == FULL_NOTICE
    assert await store.notices.get("m2") == plain
    assert await store.notices.get("m3") is None


async def test_ids_that_are_there_change_nothing(store: Store) -> None:
    await store.notices.add([notice("m1")])
    await store.notices.add([notice("m1", vnfm="other"), notice("m2")])
    assert await store.notices.get("m1") == notice("m1")
    assert await store.notices.get("m2") == notice("m2")


async def test_a_reply_address_leads_to_its_notice(store: Store) -> None:
    await store.notices.add([FULL_NOTICE, notice("m2"), notice("m3")])
    assert await store.notices.by_token("unguessable") == FULL_NOTICE
    assert await store.notices.by_token("guessed") is None
    assert await store.notices.by_token("") is None


async def test_the_notices_of_a_task_are_listed_oldest_first(store: Store) -> None:
    rows = [
        notice("m3", task="t", created_at=1.0),
        notice("m1", task="t", created_at=2.0),
        notice("m2", task="t", created_at=2.0),
    ]
    await store.notices.add([*reversed(rows), notice("other", task="u"), notice("none")])
    assert await store.notices.for_task("t") == rows
    assert await store.notices.for_task("v") == []
    assert [await store.notices.awaiting(task) for task in ("t", "v")] == [True, False]


async def test_a_reply_becomes_the_answer_and_stands_in_the_inbox_at_once(store: Store) -> None:
    await store.notices.add([notice("m1"), notice("m2")])
    row = await store.notices.answer("m1", (NoticeState.PENDING,), 7.5, REPLY)
    assert row == replace(notice("m1"), state=NoticeState.ANSWERED, reply=REPLY, answered_at=7.5)
    assert await store.notices.get("m1") == row
    assert [entry["verdict"] for entry in await store.notices.replies("m1")] == ["accepted"]
    assert await store.notices.answer("m1", (NoticeState.PENDING,), 8.5, Reply(result="NACK")) is None
    assert await store.notices.answer("gone", (NoticeState.PENDING,), 8.5, REPLY) is None
    assert len(await store.notices.replies("m1")) == 1
    assert await store.notices.get("m2") == notice("m2")


async def test_notices_are_listed_newest_first(store: Store) -> None:
    rows = [notice(f"m{number}", created_at=float(number), campaign=f"c{number % 2}") for number in range(5)]
    await store.notices.add(rows)
    assert [row.id for row in await store.notices.list()] == ["m4", "m3", "m2", "m1", "m0"]
    assert [row.id for row in await store.notices.list("c0")] == ["m4", "m2", "m0"]
    assert [row.id for row in await store.notices.list(limit=2)] == ["m4", "m3"]
    assert [row.id for row in await store.notices.list("c1", 1)] == ["m3"]


async def test_pending_notices_are_due_at_their_time(store: Store) -> None:
    await store.notices.add([notice(f"m{at}", next_attempt_at=float(at)) for at in (30, 10, 20)])
    await store.notices.add([notice("delivered", state=NoticeState.DELIVERED)])
    assert await store.notices.due(9.9) == []
    assert [row.id for row in await store.notices.due(20.0)] == ["m10", "m20"]
    assert [row.id for row in await store.notices.due(99.0, limit=1)] == ["m10"]


async def test_a_notice_is_due_no_more_when_it_is_delivered_or_put_off(store: Store) -> None:
    await store.notices.add([notice("m1"), notice("m2")])
    await store.notices.update("m1", [NoticeState.PENDING], state=NoticeState.DELIVERED, delivered_at=1.0)
    await store.notices.update("m2", [NoticeState.PENDING], attempts=1, next_attempt_at=50.0)
    assert await store.notices.due(49.0) == []
    assert [row.id for row in await store.notices.due(50.0)] == ["m2"]


async def test_what_waits_for_one_receiver_comes_oldest_first(store: Store) -> None:
    ages = ((3.0, "m1"), (1.0, "m2"), (1.0, "m0"), (2.0, "m3"))
    await store.notices.add([notice(name, created_at=age, next_attempt_at=9.0 - age) for age, name in ages])
    await store.notices.add([notice("other", vnfm="v2"), notice("gone", state=NoticeState.DELIVERED)])
    assert [row.id for row in await store.notices.due(9.0, to="v1")] == ["m0", "m2", "m3", "m1"]
    assert [row.id for row in await store.notices.due(7.0, to="v1")] == ["m3", "m1"]
    assert [row.id for row in await store.notices.due(9.0, 2, to="v1")] == ["m0", "m2"]
    await store.notices.update("m0", [NoticeState.PENDING], state=NoticeState.UNDELIVERABLE)
    assert [row.id for row in await store.notices.due(9.0, limit=1, to="v1")] == ["m2"]
    assert await store.notices.due(9.0, to="v3") == []


async def test_unanswered_notices_expire_at_their_deadline(store: Store) -> None:
    states = list(NoticeState)
    await store.notices.add([notice(state.value, state=state, reply_by=10.0) for state in states])
    await store.notices.add([notice("no-answer-expected", state=NoticeState.DELIVERED), notice("later", reply_by=11.0)])
    assert await store.notices.expired(9.9) == []
    assert [row.id for row in await store.notices.expired(10.0)] == ["delivered", "pending"]
    assert [row.id for row in await store.notices.expired(99.0)] == ["delivered", "pending", "later"]
    assert [row.id for row in await store.notices.expired(99.0, limit=1)] == ["delivered"]
    await store.notices.add([notice("another's", vnfm="other", reply_by=9.0)])
    assert [row.id for row in await store.notices.expired(math.inf, to="other")] == ["another's"]
    assert [row.id for row in await store.notices.expired(math.inf, 1, FULL_NOTICE.vnfm)] == ["delivered"]


async def test_an_answered_notice_does_not_expire(store: Store) -> None:
    await store.notices.add([notice("m1", reply_by=10.0), notice("m2", reply_by=10.0)])
    await store.notices.update("m1", [NoticeState.PENDING], state=NoticeState.ANSWERED)
    await store.notices.update("m2", [NoticeState.PENDING], reply_by=20.0)
    assert await store.notices.expired(19.0) == []
    assert [row.id for row in await store.notices.expired(20.0)] == ["m2"]


async def test_an_update_returns_the_new_notice_and_leaves_the_other_fields(store: Store) -> None:
    await store.notices.add([notice("m1", reply_token="unguessable", reply_by=10.0)])
    changes = {
        "state": NoticeState.ANSWERED,
        "answered_at": 5.0,
        "reply": REPLY,
        "error": AWKWARD,
        "resources": FULL_NOTICE.resources,
        "allowed_actions": ("KEEP",),
        "details": {"a": "b"},
    }
    wanted = notice("m1", reply_token="unguessable", reply_by=10.0, **changes)
    assert await store.notices.update("m1", [NoticeState.PENDING, NoticeState.DELIVERED], **changes) == wanted
    assert await store.notices.get("m1") == wanted
    assert await store.notices.by_token("unguessable") == wanted


async def test_a_field_can_be_set_back_to_none(store: Store) -> None:
    await store.notices.add([FULL_NOTICE])
    await store.notices.update("m1", [NoticeState.ANSWERED], reply=None, error=None)
    found = await store.notices.get("m1")
    assert found is not None
    assert (found.reply, found.error) == (None, None)


async def test_a_notice_in_a_state_that_was_not_expected_stays_as_it_is(store: Store) -> None:
    await store.notices.add([notice("m1")])
    assert await store.notices.update("m1", [NoticeState.DELIVERED], state=NoticeState.SILENT) is None
    assert await store.notices.update("m1", [], state=NoticeState.SILENT) is None
    assert await store.notices.update("m2", [NoticeState.PENDING], state=NoticeState.SILENT) is None
    assert await store.notices.get("m1") == notice("m1")


async def test_of_many_answers_at_once_one_is_taken(stores: tuple[Store, Store]) -> None:
    await stores[0].notices.add([notice("m1")])
    answers = await asyncio.gather(
        *(
            store.notices.update("m1", [NoticeState.PENDING], state=NoticeState.ANSWERED, answered_at=float(number))
            for store, number in zip(cycle(stores), range(20), strict=False)
        )
    )
    [taken] = [answer for answer in answers if answer is not None]
    assert await stores[1].notices.get("m1") == taken


async def test_every_reply_is_kept_in_order_of_arrival(store: Store) -> None:
    await store.notices.add([notice("m1"), notice("m2")])
    await store.notices.record_reply("m1", 5.5, REPLY, "accepted")
    await store.notices.record_reply("m1", 5.0, REPLY, "duplicate")
    await store.notices.record_reply("m2", 6.0, Reply(result="ACK"), "late")
    first, second = await store.notices.replies("m1")
    assert first == {
        "at": 5.5,
        "verdict": "accepted",
        "reply": {"result": "DEFER", "until": "2026-01-01T00:00:00Z", "instances": {"vm-1": "KEEP"}, "reason": AWKWARD},
    }
    assert (second["at"], second["verdict"]) == (5.0, "duplicate")
    assert [reply["verdict"] for reply in await store.notices.replies("m2")] == ["late"]
    assert await store.notices.replies("m3") == []


async def test_a_reply_needs_its_notice(store: Store) -> None:
    with pytest.raises(NotFoundError) as caught:
        await store.notices.record_reply("m1", 5.0, REPLY, "accepted")
    assert caught.value.code is Code.VIM_NOT_FOUND
    assert await store.notices.replies("m1") == []


async def test_what_a_change_says_is_in_the_history_with_it_and_never_without(store: Store) -> None:
    await store.notices.add([notice("m1")])
    said = event(action="notice.undeliverable", object_id="m1")
    assert await store.notices.update("m1", [NoticeState.DELIVERED], [said], state=NoticeState.UNDELIVERABLE) is None
    assert await store.events.read() == []
    assert await store.notices.update("m1", [NoticeState.PENDING], [said], state=NoticeState.UNDELIVERABLE)
    assert [found.action for found in await store.events.read()] == ["notice.undeliverable"]


async def test_those_that_ask_about_an_instance_or_a_project_are_found_among_all_others(store: Store) -> None:
    def about(instance: str, project: str) -> tuple[AffectedResource, ...]:
        return (AffectedResource(resource_id=instance, project_id=project, group_ids=("g-1",), planned_action="live"),)

    odd = 'vm-"%_\\é'
    rows = [
        notice("a1", created_at=1.0, resources=about("vm-1", "p-1"), reply_token="t" * 40),
        notice("a2", created_at=2.0, resources=about("vm-12", "p-1"), reply_token="u" * 40),
        notice("a3", created_at=3.0, resources=about(odd, "p-2"), reply_token="v" * 40),
        notice("a4", created_at=4.0, resources=about("vm-1", "p-1"), reply_token=None),
    ]
    other = replace(rows[0], id="a5", campaign="other", reply_token="w" * 40)
    await store.notices.add([*rows, other])
    campaign = rows[0].campaign
    assert await store.notices.list(campaign, about=("vm-1",)) == [rows[0]]
    assert await store.notices.list(campaign, about=("p-1",)) == [rows[1], rows[0]]
    assert await store.notices.list(campaign, about=(odd, "vm-12")) == [rows[2], rows[1]]
    assert await store.notices.list(campaign, about=("g-1", "vm", "")) == []
    assert await store.notices.list(campaign, limit=1, about=("p-1",)) == [rows[1]]


async def test_those_that_were_given_up_are_found_among_all_others(store: Store) -> None:
    given_up = [notice(f"m{n}", created_at=float(n), state=NoticeState.UNDELIVERABLE) for n in range(3)]
    await store.notices.add([*given_up, notice("m8"), replace(given_up[0], id="m9", campaign="other")])
    assert await store.notices.list(given_up[0].campaign, given_up=True) == given_up[::-1]
    assert await store.notices.list(given_up[0].campaign, limit=1, given_up=True) == given_up[2:]
    assert await store.notices.list("none", given_up=True) == []
