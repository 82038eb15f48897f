"""Replies that are forged, repeated, malformed, or race with one another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beds.vnfm.clocks import START, SteppedClock
from escalator.model.errors import ConflictError, EscalatorError, InputError, NotFoundError
from escalator.model.inventory import Instance
from escalator.model.notice import Notice, NoticeState, Reply, Vnfm, VnfmSpec
from escalator.storage.memory import memory_store
from escalator.storage.opening import open_sqlite
from escalator.storage.port import Store
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.inbox import MAX_KEPT, MAX_REFUSALS, MAX_REPLY_BYTES, parse_reply, reopen
from escalator.vim_interface.negotiation import Verdict
from escalator.vim_interface.port import Ask
from escalator.vim_interface.times import to_rfc3339
from escalator.vim_interface.vim import Parts, Vim

TOKEN = "t" * 43
ACK = b'{"result": "ACK", "instances": {"vm-1": "MOVED"}}'
NACK = b'{"result": "NACK"}'
DEFER = json.dumps({"result": "DEFER", "until": to_rfc3339(START + 600)}).encode()


async def _never(*_: object) -> None:
    raise AssertionError("nobody is woken without the dispatcher")


async def asked(store: Store) -> Vim:
    """A VIM Interface with one open notice, whose reply address ends with TOKEN."""
    parts = Parts(
        store=store,
        dialects={},
        clock=SteppedClock(),
        credentials=Credentials(Path("/nonexistent")),
        wake=_never,
        new_token=lambda: TOKEN,
        base_url="https://escalator.example",
    )
    vim = Vim(parts)
    await vim.registry.add(Vnfm(name="vnfm-1", spec=VnfmSpec(callback_uri="http://vnfm.example/", projects=("p1",))))
    await vim.ask(
        Ask(
            task="c1/n1/1",
            campaign="c1",
            node="n1",
            instances=(Instance(id="vm-1", project="p1", node="n1"),),
            planned={"vm-1": "live"},
            reply_by=START + 300,
            action_at=START + 301,
        )
    )
    return vim


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield memory_store()
        return
    async with open_sqlite(tmp_path / "escalator.sqlite") as opened:
        yield opened


@pytest.fixture
async def vim(store: Store) -> Vim:
    return await asked(store)


async def the_notice(store: Store) -> Notice:
    (notice,) = await store.notices.for_task("c1/n1/1")
    return notice


async def verdicts(store: Store) -> list[str]:
    return [row["verdict"] for row in await store.notices.replies((await the_notice(store)).id)]


@pytest.mark.parametrize("token", ["u" * 43, "", "short", "../" * 20, "t" * 42, "t" * 44, "%", "t" * 10_000, "é" * 43])
async def test_a_forged_address_is_unknown_and_leaves_no_trace(vim: Vim, store: Store, token: str):
    with pytest.raises(NotFoundError) as on_put:
        await vim.inbox.receive(token, ACK, START)
    with pytest.raises(NotFoundError) as on_get:
        await vim.inbox.show(token)
    assert str(on_put.value) == str(on_get.value) == "ESC-VIM-001: There is no such reply address."
    assert await verdicts(store) == []


async def test_a_repeated_reply_is_confirmed_and_counted_once(vim: Vim, store: Store):
    assert await vim.inbox.receive(TOKEN, ACK, START + 1) is Verdict.ACCEPTED
    assert await vim.inbox.receive(TOKEN, b' {"instances":{"vm-1":"MOVED"},"result":"ACK"}\n', START + 2) is Verdict.DUPLICATE
    assert (await the_notice(store)).answered_at == START + 1
    assert await verdicts(store) == ["accepted", "duplicate"]


async def test_a_refused_reply_is_kept_with_its_verdict(vim: Vim, store: Store):
    await vim.inbox.receive(TOKEN, ACK, START + 1)
    with pytest.raises(ConflictError) as superseded:
        await vim.inbox.receive(TOKEN, NACK, START + 2)
    assert superseded.value.code.value == "ESC-VIM-007"
    remedy = superseded.value.remedy
    assert "node retry" not in remedy, "nobody was kept from going on"
    assert "escalator node hold n1" in remedy
    assert await verdicts(store) == ["accepted", "superseded"]
    assert (await the_notice(store)).reply == Reply(result="ACK", instances={"vm-1": "MOVED"})


async def test_who_takes_back_a_refusal_is_told_what_holds_and_how_the_node_is_asked_about_again(vim: Vim, store: Store):
    await vim.inbox.receive(TOKEN, NACK, START + 1)
    again = (
        "If the node is left out for it: escalator node retry c1 n1 gives it another turn as long as the campaign runs, and asks"
        " again; after its end another campaign of the same release"
    )
    with pytest.raises(ConflictError, match=r"accepted before \(NACK\)") as superseded:
        await vim.inbox.receive(TOKEN, ACK, START + 2)
    assert superseded.value.remedy.startswith(again)
    notice = await the_notice(store)
    await store.notices.update(notice.id, (NoticeState.ANSWERED,), state=NoticeState.CANCELLED)
    with pytest.raises(ConflictError, match="was answered NACK and then withdrawn") as late:
        await vim.inbox.receive(TOKEN, ACK, START + 3)
    assert (late.value.code.value, late.value.remedy.startswith(again)) == ("ESC-VIM-006", True)


async def test_a_late_reply_is_refused_even_before_the_dispatcher_saw_the_deadline(vim: Vim, store: Store):
    with pytest.raises(ConflictError, match=rf"The time to reply passed at {to_rfc3339(START + 300)}: .* silence") as late:
        await vim.inbox.receive(TOKEN, ACK, START + 300)
    assert late.value.code.value == "ESC-VIM-006"
    assert "escalator node retry c1 n1" in late.value.remedy
    assert await verdicts(store) == ["late"]
    assert (await the_notice(store)).reply is None


async def test_every_problem_of_a_reply_is_reported_at_once(vim: Vim, store: Store):
    body = b'{"result": "ACK", "until": "x", "instances": {"vm-1": "EXPLODE", "vm-2": "MOVED"}, "colour": "red"}'
    with pytest.raises(InputError) as invalid:
        await vim.inbox.receive(TOKEN, body, START)
    assert {p.path for p in invalid.value.problems} == {"colour", "instances.vm-1"}
    body = b'{"result": "ACK", "until": "x", "instances": {"vm-1": "MOVED", "vm-2": "MOVED"}}'
    with pytest.raises(InputError) as misfit:
        await vim.inbox.receive(TOKEN, body, START)
    assert {p.path for p in misfit.value.problems} == {"until", "instances.vm-2"}
    assert await verdicts(store) == ["invalid"]


async def test_an_invalid_reply_can_be_mended(vim: Vim, store: Store):
    with pytest.raises(InputError):
        await vim.inbox.receive(TOKEN, b'{"result": "YES"}', START)
    assert await vim.inbox.receive(TOKEN, ACK, START) is Verdict.ACCEPTED
    (event,) = await store.events.read()
    assert (event.action, event.code, event.campaign) == ("vnfm.reply-invalid", "ESC-VIM-008", "c1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"ACK"',
        b"result: ACK",
        b"{",
        b"\xff\xfe",
        b'{"result": "ACK", "result": "NACK"}',
        b'{"result": ["ACK"]}',
        b'{"result": "ACK", "instances": []}',
        b'{"result": "ACK", "instances": {"vm-1": null}}',
        b'{"result": "ACK", "reason": "' + b"x" * 2001 + b'"}',
        b'{"result": "ACK", "instances": {"\\ud800": "MOVED"}}',
        b'{"a":' * 100_000,
        b'{"result": "NACK", "until": 1' + b"0" * 5000 + b"}",
    ],
)
def test_what_is_no_reply_is_an_error_of_the_reply(body: bytes):
    with pytest.raises(InputError) as caught:
        parse_reply(body)
    assert caught.value.code.value == "ESC-VIM-008"
    assert caught.value.problems


def test_a_reply_that_is_too_large_is_refused_before_it_is_read():
    with pytest.raises(InputError) as caught:
        parse_reply(b"{" + b" " * MAX_REPLY_BYTES + b"}")
    assert caught.value.code.value == "ESC-API-004"


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: ("{" + t + "}").encode()))
def test_no_bytes_at_all_raise_anything_but_our_errors(body: bytes):
    try:
        parse_reply(body)
    except EscalatorError:
        pass


async def test_nobody_fills_the_disk_through_a_reply_address(vim: Vim, store: Store):
    await vim.inbox.receive(TOKEN, ACK, START)
    for _ in range(MAX_KEPT + 20):
        await vim.inbox.receive(TOKEN, ACK, START + 1)
        with pytest.raises(InputError):
            await vim.inbox.receive(TOKEN, b"{}", START + 1)
    assert len(await verdicts(store)) == MAX_KEPT
    assert len(await store.events.read()) == MAX_REFUSALS


async def test_of_two_different_replies_at_once_one_counts(vim: Vim, store: Store):
    found = await asyncio.gather(
        *(vim.inbox.receive(TOKEN, body, START) for body in (ACK, NACK, ACK, NACK)), return_exceptions=True
    )
    assert found.count(Verdict.ACCEPTED) == 1
    assert sorted(await verdicts(store)) == ["accepted", "duplicate", "superseded", "superseded"]


async def test_an_answer_may_follow_a_deferral_that_nobody_accepted_yet(vim: Vim, store: Store):
    await vim.inbox.receive(TOKEN, DEFER, START)
    assert await vim.inbox.receive(TOKEN, ACK, START + 1) is Verdict.ACCEPTED
    # The Upgrade Manager saw the DEFER, and accepts it only now: the answer that came since stays.
    await vim.defer("c1/n1/1", "vnfm-1", START + 600)
    (answer,) = await vim.answers("c1/n1/1")
    assert (answer.state, answer.result) == ("answered", "ACK")


async def test_an_answer_that_comes_while_a_deferral_is_being_accepted_stays(vim: Vim, store: Store):
    await vim.inbox.receive(TOKEN, DEFER, START)
    as_read = await the_notice(store)
    await vim.inbox.receive(TOKEN, ACK, START + 1)
    assert await reopen(store, as_read, reply_by=START + 600) is None
    (answer,) = await vim.answers("c1/n1/1")
    assert (answer.state, answer.result) == ("answered", "ACK")


async def test_accepting_the_first_deferral_again_does_not_accept_the_second(vim: Vim, store: Store):
    told = await the_notice(store)
    await store.notices.update(told.id, (NoticeState.PENDING,), state=NoticeState.DELIVERED, delivered_at=START)
    await vim.inbox.receive(TOKEN, DEFER, START)
    await vim.defer("c1/n1/1", "vnfm-1", START + 600)
    assert (await the_notice(store)).state.value == "delivered"
    later = json.dumps({"result": "DEFER", "until": to_rfc3339(START + 900)}).encode()
    await vim.inbox.receive(TOKEN, later, START + 10)
    await vim.defer("c1/n1/1", "vnfm-1", START + 600)
    (answer,) = await vim.answers("c1/n1/1")
    assert (answer.state, answer.result, answer.until) == ("answered", "DEFER", START + 900)


async def test_what_is_deferred_for_somebody_who_was_never_told_goes_on_being_delivered(vim: Vim, store: Store):
    await vim.inbox.receive(TOKEN, DEFER, START)
    await vim.defer("c1/n1/1", "vnfm-1", START + 600)
    (due,) = await store.notices.due(START + 600)
    assert (due.state, due.delivered_at) == (NoticeState.PENDING, None)
    assert due.reply_by is not None
    assert due.reply_by >= START + 600


async def test_a_defer_takes_no_time_away(vim: Vim, store: Store):
    before = (await the_notice(store)).reply_by
    assert before is not None
    soon = json.dumps({"result": "DEFER", "until": to_rfc3339(START + 10)}).encode()
    await vim.inbox.receive(TOKEN, soon, START)
    await vim.defer("c1/n1/1", "vnfm-1", START + 10)
    after = await the_notice(store)
    assert (after.reply_by, after.state) == (before, NoticeState.PENDING)


async def test_deferring_what_was_never_asked_is_not_found(vim: Vim):
    with pytest.raises(NotFoundError):
        await vim.defer("c1/n1/1", "vnfm-2", START + 600)


async def test_a_missed_notice_can_be_read_with_its_state_and_reply(vim: Vim):
    shown = await vim.inbox.show(TOKEN)
    assert (shown["state"], shown["hostId"], shown["campaignId"]) == ("pending", "n1", "c1")
    assert shown["replyUri"] == f"https://escalator.example/vi-vnfm/v1/replies/{TOKEN}"
    assert shown["_links"]["self"]["href"] == shown["replyUri"]
    assert "reply" not in shown
    await vim.inbox.receive(TOKEN, ACK, START)
    shown = await vim.inbox.show(TOKEN)
    assert (shown["state"], shown["reply"]) == ("answered", {"result": "ACK", "instances": {"vm-1": "MOVED"}})


async def test_a_reply_to_a_withdrawn_notice_is_refused(vim: Vim, store: Store):
    await vim.cancel("c1/n1/1")
    with pytest.raises(ConflictError, match="withdrawn"):
        await vim.inbox.receive(TOKEN, ACK, START)
    assert await verdicts(store) == ["late"]
