"""A crash of the manager at any moment: nothing lost, nothing counted twice, the same ids again."""

from __future__ import annotations

import asyncio

from beds.vnfm.bed import REPLY_TIMEOUT_S, TASK, Bed
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.notice import Notice, NoticeType, Vnfm
from escalator.model.progress import CampaignState, NodeTask, TaskState
from escalator.settings import Vim as Limits
from escalator.storage.port import CampaignRow
from escalator.vim_interface.dialect import Dialect
from escalator.vim_interface.negotiation import Verdict
from escalator.vim_interface.times import to_rfc3339

GRACE_S = Limits().restart_grace_s


class CutOff:
    """A dialect whose deliveries arrive, but which never says so."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        await self._dialect.deliver(vnfm, notice)
        await asyncio.Event().wait()

    async def test(self, vnfm: Vnfm) -> None:
        await self._dialect.test(vnfm)


async def _open_task(bed: Bed, state: TaskState = TaskState.RUNNING) -> None:
    await bed.store.campaigns.add(CampaignRow(name="c1", document={}))
    await bed.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=state))


async def test_a_notice_written_before_a_crash_goes_out_after_it(bed: Bed):
    await bed.stop()
    await bed.vnfm("vnfm-1", "moves", "p1")
    ids = await bed.ask()
    await bed.restart()
    await bed.until_woken()
    assert bed.heard("vnfm-1") == [("HostMaintenanceUpcoming", ids[0])]


async def test_news_written_before_a_crash_goes_out_after_it(bed: Bed):
    await bed.stop()
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="1")
    await bed.restart()
    await bed.until(lambda: [kind for kind, _ in bed.heard("vnfm-1")] == ["CampaignCompleted"])


async def test_a_notice_whose_delivery_was_not_written_down_goes_out_again_with_the_same_id(bed: Bed):
    ((name, dialect),) = bed.dialects.items()
    bed.dialects[name] = CutOff(dialect)
    await bed.restart()
    await bed.vnfm("vnfm-1", "silent", "p1")
    ids = await bed.ask()
    await bed.until(lambda: len(bed.heard("vnfm-1")) == 1)
    assert (await bed.answer("vnfm-1")).state == "open"
    bed.dialects[name] = dialect
    await bed.restart()
    await bed.until_state("vnfm-1", "delivered")
    assert bed.heard("vnfm-1") == [("HostMaintenanceUpcoming", ids[0])] * 2


async def test_a_deadline_that_passes_while_the_manager_is_down_is_seen_after_it_and_after_a_grace(bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    await bed.stop()
    await bed.clock.advance(2 * REPLY_TIMEOUT_S)
    assert bed.woken == []
    await bed.restart()
    back_at = bed.clock.now()
    await bed.clock.advance(GRACE_S - 1)
    assert (await bed.answer("vnfm-1")).state == "open"
    await bed.until_woken(passing=True)
    assert (await bed.answer("vnfm-1")).state == "silent"
    assert bed.clock.now() >= back_at + GRACE_S


async def test_a_reply_that_nobody_could_take_while_the_manager_was_down_counts_when_it_comes_again(bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    await bed.stop()
    await bed.clock.advance(2 * REPLY_TIMEOUT_S)
    await bed.restart()
    await bed.clock.advance(GRACE_S - 1)
    notice = await bed.notice("vnfm-1")
    assert notice.action_at is not None
    assert notice.action_at >= bed.clock.now()  # nothing begins before who is waited for may answer
    assert await bed.vim.inbox.receive(notice.reply_token or "", b'{"result": "ACK"}', bed.clock.now()) is Verdict.ACCEPTED
    events = await bed.store.events.read(0, limit=100)
    assert [event.object_id for event in events if event.action == "notice.extended"] == [notice.id]


async def test_a_deferral_whose_time_ends_while_the_manager_is_down_may_be_followed_by_its_answer(bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.store.campaigns.add(CampaignRow(name="c1", document={}, state=CampaignState.RUNNING))
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    token = (await bed.notice("vnfm-1")).reply_token or ""
    until = bed.clock.now() + 20
    await bed.vim.inbox.receive(token, b'{"result": "DEFER", "until": "%s"}' % _in(bed, 20), bed.clock.now())
    await bed.stop()  # before the engine has taken it up
    await bed.clock.advance(2 * REPLY_TIMEOUT_S)
    await bed.restart()
    await bed.vim.defer(TASK, "vnfm-1", until)
    await bed.clock.advance(GRACE_S - 1)
    assert await bed.vim.inbox.receive(token, b'{"result": "ACK"}', bed.clock.now()) is Verdict.ACCEPTED


async def test_what_could_not_go_out_while_the_manager_was_down_goes_out_with_the_whole_time_to_answer(bed: Bed):
    await bed.stop()
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.ask()
    await bed.clock.advance(2 * REPLY_TIMEOUT_S)
    await bed.restart()
    back_at = bed.clock.now()
    await bed.until_woken()
    notice = await bed.notice("vnfm-1")
    assert (await bed.answer("vnfm-1")).result == "ACK"
    assert notice.reply_by == back_at + REPLY_TIMEOUT_S


async def test_a_task_whose_wake_up_was_lost_is_woken_at_the_start_with_the_same_key(bed: Bed):
    await _open_task(bed)
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.ask()
    await bed.until_woken()
    await bed.restart()
    await bed.until_woken(2)
    assert bed.woken[0] == bed.woken[1]
    assert [row["verdict"] for row in await bed.store.notices.replies((await bed.notice("vnfm-1")).id)] == ["accepted"]


async def test_a_later_round_of_asking_is_found_after_a_crash(bed: Bed):
    await _open_task(bed)
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.ask(f"{TASK}~2")
    await bed.until_woken()
    await bed.restart()
    await bed.until_woken(2)
    assert bed.woken[1][0] == f"{TASK}~2"


async def test_a_task_that_has_ended_is_left_alone_at_the_start(bed: Bed):
    await _open_task(bed, TaskState.DONE)
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.ask()
    await bed.until_woken()
    await bed.restart()
    await bed.clock.advance(REPLY_TIMEOUT_S)
    assert len(bed.woken) == 1


async def test_what_another_replica_left_behind_is_found_within_a_sweep(bed: Bed):
    await bed.stop()
    bed.start(sweep_s=30.0)
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.vnfm("vnfm-2", "silent", "p2")
    await bed.clock.advance(1)
    asked_at = bed.clock.now()
    await bed.ask(vim=bed.another())
    await bed.clock.advance(28)
    assert bed.heard("vnfm-1") == []
    await bed.clock.advance(1)
    await bed.until_verdict("vnfm-1", "accepted")
    await bed.until_state("vnfm-2", "delivered")
    await bed.clock.advance_to(asked_at + REPLY_TIMEOUT_S)
    assert {a.vnfm: a.state for a in await bed.vim.answers(TASK)} == {"vnfm-1": "answered", "vnfm-2": "silent"}
    assert len(bed.woken) == 1
    assert len(bed.heard("vnfm-1")) == 1


async def test_a_deferral_survives_a_restart(bed: Bed):
    await bed.vnfm("vnfm-1", "defer", "p1")
    await bed.ask()
    await bed.until_woken()
    until = (await bed.answer("vnfm-1")).until
    assert until is not None
    await bed.vim.defer(TASK, "vnfm-1", until)
    await bed.restart()
    await bed.go_on("vnfm-1")
    await bed.until_woken(2)
    assert (await bed.answer("vnfm-1")).result == "ACK"


async def test_a_deferral_that_nobody_redeems_ends_in_silence(bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    token = (await bed.notice("vnfm-1")).reply_token
    assert token is not None
    body = b'{"result": "DEFER", "until": "%s"}' % _in(bed, 120)
    await bed.vim.inbox.receive(token, body, bed.clock.now())
    await bed.until_woken()
    until = (await bed.answer("vnfm-1")).until
    assert until is not None
    await bed.vim.defer(TASK, "vnfm-1", until)
    await bed.restart()
    reply_by = (await bed.notice("vnfm-1")).reply_by
    assert reply_by is not None
    assert reply_by > until  # who asks for less time than there is loses none
    await bed.clock.advance_to(until + 10)
    assert len(bed.woken) == 1
    await bed.clock.advance_to(reply_by + 10)
    assert len(bed.woken) == 2
    assert (await bed.answer("vnfm-1")).state == "silent"


async def test_a_deferral_beyond_the_deadline_that_nobody_redeems_ends_in_silence(bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    before = await bed.notice("vnfm-1")
    assert before.reply_token is not None
    assert before.reply_by is not None
    later = before.reply_by - bed.clock.now() + 60
    body = b'{"result": "DEFER", "until": "%s"}' % _in(bed, later)
    await bed.vim.inbox.receive(before.reply_token, body, bed.clock.now())
    await bed.until_woken()
    until = (await bed.answer("vnfm-1")).until
    assert until is not None
    await bed.vim.defer(TASK, "vnfm-1", until)
    await bed.restart()
    await bed.clock.advance_to(until)
    assert len(bed.woken) == 1
    await bed.clock.advance(10)
    assert len(bed.woken) == 2
    assert (await bed.answer("vnfm-1")).state == "silent"


def _in(bed: Bed, seconds: float) -> bytes:
    return to_rfc3339(bed.clock.now() + seconds).encode()


async def _away(bed: Bed, seconds: float) -> None:
    """Storage does not answer for so long."""
    events = bed.store.events
    last = events.last

    async def nothing() -> int:
        raise TemporaryError(Code.STO_UNAVAILABLE, "The database does not answer.")

    events.last = nothing  # type: ignore[method-assign]
    await bed.clock.advance(seconds)
    events.last = last  # type: ignore[method-assign]


async def test_an_answer_that_storage_did_not_take_counts_when_it_comes_again_after_its_time(bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    notice = await bed.notice("vnfm-1")
    watching = asyncio.create_task(bed.vim.grace.watch())
    try:
        await bed.clock.advance(REPLY_TIMEOUT_S - 4)
        await _away(bed, 3.5)
        await bed.clock.advance(1)
        received = await bed.vim.inbox.receive(notice.reply_token or "", b'{"result": "NACK"}', bed.clock.now())
        assert received is Verdict.ACCEPTED
        (extended,) = [event for event in await bed.store.events.read(0, limit=100) if event.action == "notice.extended"]
        assert "the database did not answer meanwhile" in extended.message
    finally:
        watching.cancel()


async def test_a_server_that_stood_still_takes_nobody_for_silent_at_once(bed: Bed):
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    watching = asyncio.create_task(bed.vim.grace.watch())
    await bed.clock.advance(1)
    watching.cancel()  # as little as anything else goes on then
    await bed.clock.advance(2 * REPLY_TIMEOUT_S)
    assert (await bed.answer("vnfm-1")).state == "open"
    again = asyncio.create_task(bed.vim.grace.watch())
    await bed.until_woken(passing=True)
    again.cancel()
    assert (await bed.answer("vnfm-1")).state == "silent"
