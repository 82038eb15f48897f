"""A VNF manager that is removed while it is asked: nobody waits for it, and what it was asked is withdrawn."""

from __future__ import annotations

import pytest

from beds.vnfm.bed import TASK, Bed
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.notice import Notice, Reply
from escalator.model.progress import CampaignState
from escalator.storage.port import CampaignRow
from escalator.vim_interface.times import to_rfc3339


async def _asked(bed: Bed) -> Notice:
    await bed.vnfm("vnfm-1", "silent", "p1")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    return await bed.notice("vnfm-1")


async def test_who_waits_for_it_hears_at_once_that_it_is_gone(bed: Bed):
    await _asked(bed)
    assert await bed.vim.unregistered.remove("vnfm-1") == 1
    await bed.until_woken()
    answer = await bed.answer("vnfm-1")
    assert (answer.state, answer.gone) == ("undeliverable", True)
    assert "vnfm-1 is not registered any more" in answer.error
    told = [(e.action, e.object_id, e.code) for e in await bed.store.events.read() if e.action == "notice.withdrawn"]
    assert told == [("notice.withdrawn", answer.notice, "ESC-VIM-001")]


async def test_what_it_was_asked_takes_no_answer(bed: Bed):
    token = (await _asked(bed)).reply_token or ""
    await bed.vim.unregistered.remove("vnfm-1")
    with pytest.raises(ConflictError):
        await bed.vim.inbox.receive(token, Reply(result="ACK"), bed.clock.now())
    assert (await bed.vim.inbox.show(token))["state"] == "cancelled"


async def test_what_it_had_answered_stays(bed: Bed):
    await _asked(bed)
    await bed.vim.reply((await bed.notice("vnfm-1")).id, Reply(result="ACK"))
    assert await bed.vim.unregistered.remove("vnfm-1") == 0
    assert (await bed.answer("vnfm-1")).result == "ACK"


async def test_a_deferral_that_nobody_has_taken_up_is_withdrawn_too(bed: Bed):
    await bed.store.campaigns.add(CampaignRow(name="c1", document={}, state=CampaignState.RUNNING))
    notice = await _asked(bed)
    await bed.vim.reply(notice.id, Reply(result="DEFER", until=to_rfc3339(bed.clock.now() + 60)))
    assert await bed.vim.unregistered.remove("vnfm-1") == 1
    assert (await bed.answer("vnfm-1")).state == "undeliverable"


async def test_others_are_still_waited_for(bed: Bed):
    await bed.vnfm("vnfm-2", "silent", "p2")
    await _asked(bed)
    await bed.vim.unregistered.remove("vnfm-1")
    assert (await bed.answer("vnfm-2")).state == "open"


async def test_nothing_happens_by_the_removal_of_who_is_not_there(bed: Bed):
    await _asked(bed)
    with pytest.raises(NotFoundError):
        await bed.vim.unregistered.remove("vnfm-9")
    assert (await bed.answer("vnfm-1")).state == "open"


async def test_a_crash_in_the_midst_of_a_removal_leaves_nobody_waiting(bed: Bed):
    await _asked(bed)
    await bed.vim.registry.remove("vnfm-1")
    await bed.restart()
    await bed.until_woken()
    answers = {answer.vnfm: answer.state for answer in await bed.vim.answers(TASK)}
    assert answers == {"vnfm-1": "undeliverable"}
