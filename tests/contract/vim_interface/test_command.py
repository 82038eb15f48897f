"""Notices to VNFs that have commands: real processes, with the same deadlines, limits and record as every VNF manager."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from beds.vnfm.bed import REPLY_TIMEOUT_S, TASK, TURNS, Bed, opened_bed
from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.notice import Commands as Names
from escalator.model.notice import NoticeType, Vnfm, VnfmSpec
from escalator.model.progress import NodeTask, TaskState
from escalator.settings import Vim as Limits
from escalator.settings import VnfCommand
from escalator.storage.port import CampaignRow
from escalator.vim_interface.dialects.command import Commands

LOG = 'cat > "$0.$2.$1.new" && mv "$0.$2.$1.new" "$0.$2.$1"\n'
"""Keeps what it was given as FILE.NOTICE.VERB."""
WAIT = 'while [ ! -e "$0.go" ]; do sleep 0.02; done\n'
MAX_DEFER_S = Limits().max_defer_s


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("vi-vnfm", tmp_path) as opened:
        yield opened
        if "command" in opened.dialects:
            await opened.dialects["command"].close()  # type: ignore[attr-defined]


async def ems(bed: Bed, prepare: str, *, restore: str = "", health: str = "", **more: Any) -> None:
    """An EMS with these commands that speaks for project p1."""
    texts = {"prepare": prepare, "restore": restore, "health": health}
    commands = {}
    for verb, text in texts.items():
        if text:
            file = bed.folder / verb
            file.write_text(f"#!/bin/sh\n{text}")
            file.chmod(stat.S_IRWXU)
            commands[f"core-{verb}"] = VnfCommand(argv=(str(file), "{verb}", "{notice}"), **more)
    started(bed, commands)
    spec = VnfmSpec(dialect="command", commands=Names(**{v: f"core-{v}" for v, t in texts.items() if t}), projects=("p1",))
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))


def started(bed: Bed, commands: dict[str, VnfCommand]) -> None:
    dialect = Commands(commands, bed.base_url, MAX_DEFER_S, os.environ, bed.clock)
    dialect.on_reply = lambda: bed.vim.look("command")
    bed.dialects["command"] = dialect


def given(bed: Bed, verb: str, notice: str) -> dict[str, Any] | None:
    file = bed.folder / f"{verb}.{notice}.{verb}"
    return json.loads(file.read_text()) if file.exists() else None


async def deferred(bed: Bed, times: int = 1) -> float:
    """Until when the answer is deferred, once it is so often; it is accepted, as the engine does."""
    await bed.until_woken(times)
    answer = await bed.answer("core")
    assert (answer.state, answer.result) == ("answered", "DEFER")
    assert answer.until is not None
    await bed.vim.defer(TASK, "core", answer.until)
    return answer.until


async def test_the_command_gets_the_notice_and_its_end_is_the_answer(bed: Bed) -> None:
    await ems(bed, LOG)
    (notice,) = await bed.ask()
    await bed.until_woken()
    message = given(bed, "prepare", notice)
    assert message is not None
    assert (message["verb"], message["notificationType"], message["hostId"]) == ("prepare", "HostMaintenanceUpcoming", "cn-1")
    assert [resource["resourceId"] for resource in message["affectedResources"]] == ["vm-1"]
    answer = await bed.answer("core")
    assert (answer.state, answer.result, dict(answer.dispositions)) == ("answered", "ACK", {"vm-1": "MOVED"})


@pytest.mark.parametrize(
    ("text", "result", "said", "words"),
    [
        ('echo \'{"instances": {"vm-1": "LIVE_MIGRATE"}, "reason": "standby"}\'', "ACK", "standby", {"vm-1": "LIVE_MIGRATE"}),
        ("exit 0", "ACK", "", {"vm-1": "MOVED"}),
        ("printf ' \\n'", "ACK", "", {"vm-1": "MOVED"}),
        ("echo switched over", "NACK", "no JSON object", {}),
        ('echo connecting; echo \'{"instances": {"vm-1": "KEEP"}}\'', "NACK", "no JSON object", {}),
        ("echo []", "NACK", "no JSON object", {}),
        ("echo a match is on >&2; exit 70", "NACK", "ended with 70: a match is on", {}),
        ("echo no such VNF >&2; exit 1", "NACK", "ended with 1: no such VNF", {}),
        ("kill -9 $$", "NACK", "ended with -9", {}),
        ('echo \'{"instances": {"vm-2": "MOVED"}}\'', "NACK", "does not fit the notice. vm-2", {}),
        ('echo \'{"instances": {"vm-1": "GONE"}}\'', "NACK", "instances.vm-1", {}),
        ('echo \'{"result": "NACK"}\'', "NACK", "does not fit the notice. result", {}),
        ("echo '{'", "NACK", "not valid JSON", {}),
        ("yes | head -c 3000000", "NACK", "no JSON object", {}),
        ("yes | head -c 3000000 >&2; echo at the end >&2; exit 70", "NACK", "at the end", {}),
    ],
)
async def test_how_it_ends_says_what_may_be_done(bed: Bed, text: str, result: str, said: str, words: dict[str, str]) -> None:
    await ems(bed, text)
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.state, answer.result, dict(answer.dispositions)) == ("answered", result, words)
    assert said in answer.reason


async def test_while_it_runs_the_answer_is_deferred_in_time(bed: Bed) -> None:
    await ems(bed, LOG + WAIT, timeout_s=1000)
    start = bed.clock.now()
    (notice,) = await bed.ask()
    await bed.until(lambda: given(bed, "prepare", notice) is not None)
    await bed.clock.advance_to(start + REPLY_TIMEOUT_S - 5)
    until = await deferred(bed)
    assert until == pytest.approx(start + REPLY_TIMEOUT_S + 55, abs=1)
    await bed.clock.advance_to(until - 5)
    assert await deferred(bed, 2) > until
    (bed.folder / "prepare.go").touch()
    await bed.until_woken(3)
    assert (await bed.answer("core")).result == "ACK"


async def test_one_that_does_not_end_is_ended_and_refuses(bed: Bed) -> None:
    await ems(bed, LOG + "sleep 600 & wait", timeout_s=100)
    (notice,) = await bed.ask()
    await bed.until(lambda: given(bed, "prepare", notice) is not None)
    await bed.clock.advance(100)
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.result, "did not end in time" in answer.reason) == ("NACK", True)


async def test_one_that_says_not_now_is_run_again_after_its_pause(bed: Bed) -> None:
    await ems(bed, '[ -e "$0.once" ] && exit 0\ntouch "$0.once"; echo draining >&2; exit 75\n', retry_s=30)
    start = bed.clock.now()
    await bed.ask()
    until = await deferred(bed)
    assert until >= start + 30
    await bed.clock.advance_to(start + 30)
    await bed.until_woken(2)
    assert (await bed.answer("core")).result == "ACK"


async def test_it_can_say_not_now_only_as_long_as_a_deferral_is_accepted(bed: Bed) -> None:
    await ems(bed, "exit 75", retry_s=1000)
    start = bed.clock.now()
    await bed.ask()
    for number in range(1, 4):
        assert await deferred(bed, number) <= start + REPLY_TIMEOUT_S + MAX_DEFER_S
        await bed.clock.advance_to(start + number * 1000)
    await bed.until_woken(4)
    assert (await bed.answer("core")).result == "NACK"
    assert bed.clock.now() <= start + REPLY_TIMEOUT_S + MAX_DEFER_S


async def test_a_vnf_is_restored_when_its_node_is_back_or_nothing_happens(bed: Bed) -> None:
    await ems(bed, LOG, restore=LOG)
    await bed.ask()
    await bed.until_woken()
    await bed.vim.cancel(TASK)
    await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=["core"], key="k")
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="k")
    told = {n.type: n.id for n in await bed.store.notices.list("c1", 10)}
    for kind in (NoticeType.NOTICE_CANCELLED, NoticeType.HOST_AVAILABLE):
        await bed.until(lambda kind=kind: given(bed, "restore", told[kind]) is not None)  # type: ignore[misc]
        message = given(bed, "restore", told[kind])
        assert message is not None
        assert (message["verb"], message["notificationType"]) == ("restore", kind.value)
    assert given(bed, "restore", told[NoticeType.CAMPAIGN_COMPLETED]) is None


async def test_nothing_is_restored_while_it_is_still_being_prepared(bed: Bed) -> None:
    await ems(bed, LOG + WAIT + 'echo prepared >> "$0.order"', restore='echo restored >> "${0%restore}prepare.order"')
    (notice,) = await bed.ask()
    await bed.until(lambda: given(bed, "prepare", notice) is not None)
    await bed.vim.cancel(TASK)
    await asyncio.sleep(0.1)
    assert not (bed.folder / "prepare.order").exists()
    (bed.folder / "prepare.go").touch()
    order = bed.folder / "prepare.order"
    await bed.until(lambda: order.exists() and len(order.read_text().split()) == 2)
    assert order.read_text().split() == ["prepared", "restored"]


@pytest.mark.parametrize(("text", "attempts"), [("exit 75", 5), ("echo gone >&2; exit 3", 1)])
async def test_what_could_not_be_restored_stands_in_the_record(bed: Bed, text: str, attempts: int) -> None:
    await ems(bed, "exit 0", restore=text)
    await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=["core"], key="k")
    for _ in range(TURNS):
        (notice,) = await bed.store.notices.list("c1", 10)
        if notice.state.value == "undeliverable":
            break
        await bed.clock.advance(1.0)
        await asyncio.sleep(0.01)
    assert (notice.state.value, notice.attempts) == ("undeliverable", attempts)
    assert "The command restore of VNF manager core ended with" in str(notice.error)


async def test_after_a_restart_it_is_prepared_again_and_answers(bed: Bed) -> None:
    await ems(bed, LOG + WAIT, timeout_s=1000)
    await bed.store.campaigns.add(CampaignRow(name="c1", document={}))
    await bed.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=TaskState.RUNNING))
    start = bed.clock.now()
    (notice,) = await bed.ask()
    await bed.until(lambda: given(bed, "prepare", notice) is not None)
    await bed.clock.advance_to(start + REPLY_TIMEOUT_S - 5)
    await deferred(bed)
    await bed.stop()
    await bed.dialects["command"].close()  # type: ignore[attr-defined]
    (bed.folder / f"prepare.{notice}.prepare").unlink()
    file = str(bed.folder / "prepare")
    started(bed, {"core-prepare": VnfCommand(argv=(file, "{verb}", "{notice}"))})
    await bed.restart()
    await bed.until(lambda: given(bed, "prepare", notice) is not None)
    (bed.folder / "prepare.go").touch()
    await bed.until_woken(2)
    assert (await bed.answer("core")).result == "ACK"


async def test_a_script_without_an_interpreter_refuses_and_nothing_else_breaks(bed: Bed) -> None:
    await ems(bed, "exit 0", restore="exit 0", health="exit 0")
    for verb in ("prepare", "restore", "health"):
        (bed.folder / verb).write_bytes(b"\x7fELF no program")
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.result, "cannot be started" in answer.reason) == ("NACK", True)
    await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=["core"], key="k")
    for _ in range(TURNS):
        states = {notice.type: notice.state.value for notice in await bed.store.notices.list("c1", 10)}
        if states[NoticeType.HOST_AVAILABLE] == "undeliverable":
            break
        await asyncio.sleep(0.01)
    assert states[NoticeType.HOST_AVAILABLE] == "undeliverable"
    (vnfm,) = await bed.store.vnfms.list()
    assert "cannot be started" in (await bed.vim.test(vnfm)).message


async def test_a_command_that_is_not_there_is_no_silence(bed: Bed) -> None:
    await ems(bed, "exit 0")
    started(bed, {})
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("core")
    assert answer.state == "undeliverable"
    assert "vim.commands has none of that name" in answer.error


@pytest.mark.parametrize(("text", "ok", "said"), [("exit 0", True, ""), ("echo no route >&2; exit 1", False, "1: no route")])
async def test_the_health_command_says_whether_it_would_take_notices(bed: Bed, text: str, ok: bool, said: str) -> None:
    await ems(bed, LOG, health=text)
    (vnfm,) = await bed.store.vnfms.list()
    found = await bed.vim.test(vnfm)
    assert (found.ok, said in found.message) == (ok, True)
    assert not list(bed.folder.glob("prepare.*"))


async def test_without_a_health_command_the_others_have_to_be_there(bed: Bed) -> None:
    await ems(bed, "exit 0")
    (vnfm,) = await bed.store.vnfms.list()
    assert (await bed.vim.test(vnfm)).ok
    started(bed, {"core-prepare": VnfCommand(argv=("/no/such/command",))})
    assert (await bed.vim.test(vnfm)).message == "The command /no/such/command of vim.commands is not there."


async def test_a_registration_names_its_command_and_no_address(bed: Bed) -> None:
    spec = VnfmSpec(dialect="command", callback_uri="http://192.0.2.1/", projects=("p1",))
    with pytest.raises(InputError) as refused:
        await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    assert refused.value.code is Code.VIM_REGISTRATION
    assert [problem.path for problem in refused.value.problems] == ["spec.commands.prepare", "spec.callback_uri"]


async def test_a_child_that_is_left_behind_keeps_no_answer_waiting(bed: Bed) -> None:
    """It holds the command's outputs, and nothing is heard of their end as long as it runs."""
    await ems(bed, 'echo \'{"instances": {"vm-1": "KEEP"}}\'; sleep 300 &\nexit 0', timeout_s=50)
    start = time.monotonic()
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.result, dict(answer.dispositions)) == ("ACK", {"vm-1": "KEEP"})
    assert time.monotonic() - start < 100


async def test_a_command_whose_child_went_its_own_way_is_ended_in_time(bed: Bed) -> None:
    await ems(bed, LOG + "setsid sleep 300 &\nsleep 300", timeout_s=100)
    (notice,) = await bed.ask()
    await bed.until(lambda: given(bed, "prepare", notice) is not None)
    start = time.monotonic()
    await bed.clock.advance(100)
    await bed.until_woken()
    assert (await bed.answer("core")).result == "NACK"
    assert time.monotonic() - start < 100
