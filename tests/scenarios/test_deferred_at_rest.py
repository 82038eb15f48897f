"""A VNF manager asks for more time, and its campaign rests when that time is over: it is heard, and its silence is none."""

from __future__ import annotations

import pytest

from escalator.model.notice import NoticeState, Reply
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.vim_interface.times import to_rfc3339
from scenarios.stage import Stage, staged

NODE, VNFM = "cn-0003", "vnfm-voice"
ASKED = f"""
world nodes=4 seed=1
campaign agent workloads.notify.on_timeout=skip-node
plan agent
start agent
vnfm {VNFM} silent
until agent node.notify {NODE}
wait 20
"""


async def _reply(stage: Stage, reply: Reply) -> None:
    found = [n for n in await stage.sim.store.notices.list("agent") if n.vnfm == VNFM and n.node == NODE and n.reply_token]
    await stage.sim.vim.inbox.receive(found[0].reply_token or "", reply, stage.clock.now())


async def _played(rest: str, *, answer_after_s: int | None, goes_on: str) -> list[str]:
    """What is told of the node after its VNF manager asked for a minute; it answers that long after the rest, or within it."""
    async with staged() as stage:
        await stage.play(ASKED + rest)
        await _reply(stage, Reply(result="DEFER", until=to_rfc3339(stage.clock.now() + 60)))
        await stage.play("wait 3600")
        if answer_after_s is None:
            await _reply(stage, Reply(result="ACK"))
            await stage.play(goes_on)
        else:
            await stage.play(f"{goes_on}\nwait {answer_after_s}")
            notices = await stage.sim.store.notices.list("agent")
            if any(n.vnfm == VNFM and n.node == NODE and n.state is NoticeState.DELIVERED for n in notices if n.reply_token):
                await _reply(stage, Reply(result="ACK"))
        await stage.play("wait 600")
        return [line.strip() for line in stage.lines if NODE in line and ("node.consult" in line or "notice.extended" in line)]


RESTS = pytest.mark.parametrize(("rest", "goes_on"), [("pause agent", "resume agent"), (f"hold {NODE}", f"unhold {NODE}")])


@RESTS
def test_an_answer_within_the_rest_counts_however_late(rest: str, goes_on: str) -> None:
    told = virtual_time.run(_played(rest, answer_after_s=None, goes_on=goes_on))
    assert told[-1].endswith("node.consult cn-0003 done vnfm-core ACK, vnfm-user-plane ACK, vnfm-voice ACK")


@RESTS
def test_after_the_rest_it_has_time_to_answer(rest: str, goes_on: str) -> None:
    told = virtual_time.run(_played(rest, answer_after_s=40, goes_on=goes_on))
    assert "its campaign rested when the time that it had asked for was over" in told[0]
    assert told[-1].endswith("node.consult cn-0003 done vnfm-core ACK, vnfm-user-plane ACK, vnfm-voice ACK")


@RESTS
def test_who_says_nothing_after_the_rest_either_is_silent(rest: str, goes_on: str) -> None:
    told = virtual_time.run(_played(rest, answer_after_s=120, goes_on=goes_on))
    assert "vnfm-voice did not answer in time" in told[-1]
