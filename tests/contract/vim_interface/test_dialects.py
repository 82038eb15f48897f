"""What every dialect has to hold: the same answers, deadlines and wake-ups, however a VNF manager is reached."""

from __future__ import annotations

import pytest

from beds.vnfm.bed import REPLY_TIMEOUT_S, TASK, Bed
from escalator.model.notice import NoticeType


@pytest.mark.parametrize(
    ("behaviour", "disposition"),
    [("moves", "MOVED"), ("keep", "KEEP"), ("own", "OWN_ACTION"), ("migrate", "MIGRATE"), ("live-migrate", "LIVE_MIGRATE")],
)
async def test_an_answer_is_known_with_its_dispositions_when_the_task_is_woken(bed: Bed, behaviour: str, disposition: str):
    await bed.vnfm("vnfm-1", behaviour, "p1")
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("vnfm-1")
    assert (answer.state, answer.result, answer.instances) == ("answered", "ACK", ("vm-1",))
    assert answer.dispositions == {"vm-1": disposition}


async def test_work_goes_on_before_the_deadline_when_all_have_answered(bed: Bed):
    start = bed.clock.now()
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.vnfm("vnfm-2", "moves", "p2")
    await bed.ask()
    await bed.until_woken()
    assert bed.clock.now() < start + REPLY_TIMEOUT_S
    assert [a.state for a in await bed.vim.answers(TASK)] == ["answered", "answered"]
    assert [(task, topic) for task, topic, _ in bed.woken] == [(TASK, "answers")]


async def test_nobody_is_woken_again_when_the_deadline_of_an_answered_notice_passes(bed: Bed):
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.ask()
    await bed.until_woken()
    await bed.clock.advance(2 * REPLY_TIMEOUT_S)
    assert len(bed.woken) == 1
    assert (await bed.answer("vnfm-1")).state == "answered"


async def test_a_refusal_is_an_answer_with_its_reason(bed: Bed):
    await bed.vnfm("vnfm-1", "refuse", "p1")
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("vnfm-1")
    assert (answer.state, answer.result) == ("answered", "NACK")
    assert answer.reason


async def test_silence_is_known_exactly_at_the_deadline(bed: Bed):
    start = bed.clock.now()
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    await bed.clock.advance_to(start + REPLY_TIMEOUT_S - 0.1)
    assert bed.woken == []
    await bed.clock.advance_to(start + REPLY_TIMEOUT_S)
    assert len(bed.woken) == 1
    assert (await bed.answer("vnfm-1")).state == "silent"


async def test_one_answer_does_not_wake_the_task_while_another_is_awaited(bed: Bed):
    start = bed.clock.now()
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.vnfm("vnfm-2", "silent", "p2")
    await bed.ask()
    await bed.until_verdict("vnfm-1", "accepted")
    await bed.until_state("vnfm-2", "delivered")
    assert bed.woken == []
    await bed.clock.advance_to(start + REPLY_TIMEOUT_S)
    assert len(bed.woken) == 1
    assert {a.vnfm: a.state for a in await bed.vim.answers(TASK)} == {"vnfm-1": "answered", "vnfm-2": "silent"}


async def test_a_vnf_manager_that_cannot_be_reached_is_not_silent(bed: Bed):
    start = bed.clock.now()
    await bed.vnfm("vnfm-1", "unreachable", "p1")
    await bed.ask()
    await bed.until_woken(passing=True)
    answer = await bed.answer("vnfm-1")
    assert answer.state == "undeliverable"
    assert answer.error.startswith("ESC-VIM-003")
    assert (await bed.notice("vnfm-1")).attempts == 5
    # 5 + 10 + 20 + 40 s between five attempts
    assert bed.clock.now() == pytest.approx(start + 75, abs=10)


async def test_a_vnf_manager_that_is_down_does_not_hold_up_another(bed: Bed):
    await bed.vnfm("vnfm-1", "unreachable", "p1")
    await bed.vnfm("vnfm-2", "moves", "p2")
    await bed.ask()
    await bed.until(lambda: len(bed.heard("vnfm-2")) == 1)
    assert (await bed.answer("vnfm-1")).state == "open"


async def test_a_late_reply_is_refused_and_kept_and_changes_nothing(bed: Bed):
    await bed.vnfm("vnfm-1", "late", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    await bed.clock.advance(REPLY_TIMEOUT_S)
    assert (await bed.answer("vnfm-1")).state == "silent"
    await bed.go_on("vnfm-1")
    await bed.until_verdict("vnfm-1", "late")
    assert (await bed.answer("vnfm-1")).state == "silent"
    assert len(bed.woken) == 1


async def test_a_different_second_reply_is_refused_and_the_first_one_counts(bed: Bed):
    await bed.vnfm("vnfm-1", "twice", "p1")
    await bed.ask()
    await bed.until_woken()
    # The process also repeats its first reply, as a client does that lost the response.
    verdicts = {"simulated": ("accepted", "superseded"), "vi-vnfm": ("accepted", "duplicate", "superseded")}
    await bed.until_verdict("vnfm-1", *verdicts[bed.name])
    assert (await bed.answer("vnfm-1")).dispositions == {"vm-1": "MOVED"}
    assert len(bed.woken) == 1


async def test_after_an_accepted_deferral_the_vnf_manager_answers_once_more(bed: Bed):
    await bed.vnfm("vnfm-1", "defer", "p1")
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("vnfm-1")
    assert (answer.state, answer.result) == ("answered", "DEFER")
    assert answer.until is not None
    await bed.vim.defer(TASK, "vnfm-1", answer.until)
    assert (await bed.answer("vnfm-1")).state == "open"
    await bed.go_on("vnfm-1")
    await bed.until_woken(2)
    assert (await bed.answer("vnfm-1")).dispositions == {"vm-1": "MOVED"}
    assert bed.woken[0][2] != bed.woken[1][2]


async def test_accepting_a_deferral_twice_changes_nothing(bed: Bed):
    await bed.vnfm("vnfm-1", "defer", "p1")
    await bed.ask()
    await bed.until_woken()
    until = (await bed.answer("vnfm-1")).until
    assert until is not None
    await bed.vim.defer(TASK, "vnfm-1", until)
    await bed.go_on("vnfm-1")
    await bed.until_woken(2)
    await bed.vim.defer(TASK, "vnfm-1", until)
    assert (await bed.answer("vnfm-1")).result == "ACK"


async def test_asking_again_makes_no_second_notice(bed: Bed):
    await bed.vnfm("vnfm-1", "moves", "p1")
    first = await bed.ask()
    second = await bed.ask()
    assert first == second
    assert len(first) == 1
    await bed.until_woken()
    assert len(bed.heard("vnfm-1")) == 1


async def test_a_task_that_concerns_no_vnf_manager_is_woken_at_once(bed: Bed):
    assert await bed.ask() == ()
    assert [task for task, *_ in bed.woken] == [TASK]


async def test_a_withdrawn_notice_is_told_to_those_that_got_it(bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    await bed.vim.cancel(TASK)
    await bed.vim.cancel(TASK)
    await bed.until(lambda: len(bed.heard("vnfm-1")) == 2)
    assert [kind for kind, _ in bed.heard("vnfm-1")] == ["HostMaintenanceUpcoming", "NoticeCancelled"]
    assert (await bed.answer("vnfm-1")).state == "cancelled"
    await bed.clock.advance(2 * REPLY_TIMEOUT_S)
    assert bed.woken == []


async def test_a_notice_that_never_went_out_is_withdrawn_without_a_word(bed: Bed):
    await bed.stop()
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.ask()
    await bed.vim.cancel(TASK)
    await bed.restart()
    await bed.clock.advance(REPLY_TIMEOUT_S)
    assert bed.heard("vnfm-1") == []


async def test_what_is_told_twice_arrives_once(bed: Bed):
    await bed.vnfm("vnfm-1", "moves", "p1")
    for _ in range(2):
        await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=("vnfm-1",), key="1")
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="1")
    await bed.until(lambda: len(bed.heard("vnfm-1")) == 2)
    await bed.clock.advance(60)
    assert sorted(kind for kind, _ in bed.heard("vnfm-1")) == ["CampaignCompleted", "HostAvailable"]


async def test_a_node_s_news_without_names_goes_to_nobody(bed: Bed):
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", key="1")
    await bed.clock.advance(60)
    assert bed.heard("vnfm-1") == []


async def test_the_address_of_a_vnf_manager_can_be_tested(bed: Bed):
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.vnfm("vnfm-2", "unreachable", "p2")
    found = {v.name: await bed.vim.test(v) for v in await bed.store.vnfms.list()}
    assert found["vnfm-1"].ok
    assert (found["vnfm-2"].ok, found["vnfm-2"].code) == (False, "ESC-VIM-003")
