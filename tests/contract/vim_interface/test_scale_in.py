"""VNF owners that are asked for room, in each dialect: separate processes over HTTP, and commands."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from beds.vnfm.bed import REPLY_TIMEOUT_S, Bed, opened_bed
from beds.vnfm.processes import FENIX_PEER, VnfmProcess, vnfm_process
from escalator.model.inventory import Instance
from escalator.model.notice import Commands as Names
from escalator.model.notice import NoticeType, Vnfm, VnfmSpec
from escalator.settings import Vim as Limits
from escalator.settings import VnfCommand
from escalator.storage.port import CampaignRow
from escalator.vim_interface.dialects.command import Commands
from escalator.vim_interface.port import Answer, Ask

TASK = "c1/scale-in/1"
PAIR = tuple(Instance(id=f"vm-{n}", project="p1", node=f"cn-{n}") for n in (1, 2))


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("fenix", tmp_path) as opened:
        opened.tokens |= {"token-of-p1": "p1", "token-of-p2": "p2"}
        await opened.store.campaigns.add(CampaignRow(name="c1", document={}))
        yield opened


async def peer(bed: Bed, like: str, *more: str, projects: tuple[str, ...] = ("p1",)) -> VnfmProcess:
    arguments = ("--like", like, "--token", "token-of-p1", "--project", "p1", *more)
    process = bed.stack.enter_context(vnfm_process(bed.folder / "core.jsonl", *arguments, program=FENIX_PEER))
    spec = VnfmSpec(dialect="fenix", callback_uri=process.callback_uri, projects=projects)
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    return process


async def ask_for_room(bed: Bed, *, task: str = TASK) -> None:
    reply_by = bed.clock.now() + REPLY_TIMEOUT_S
    planned = {i.id: "scale-in" for i in PAIR}
    kind = NoticeType.SCALE_IN_REQUESTED
    ask = Ask(
        task=task, campaign="c1", node=None, instances=PAIR, planned=planned, reply_by=reply_by, action_at=reply_by, kind=kind
    )
    await bed.vim.ask(ask)


async def answer(bed: Bed, task: str = TASK) -> Answer:
    (only,) = await bed.vim.answers(task)
    return only


@pytest.mark.parametrize("like", ["doctor", "tacker"])
@pytest.mark.parametrize("refuse", [False, True])
async def test_a_client_of_fenix_is_asked_once_for_its_project(bed: Bed, like: str, refuse: bool) -> None:
    process = await peer(bed, like, *(["--refuse"] if refuse else []))
    await ask_for_room(bed)
    await bed.until_woken()
    said = await answer(bed)
    assert (said.state, said.result, said.dispositions) == ("answered", "NACK" if refuse else "ACK", {})
    (event,) = process.lines("event")
    traits = event["traits"]
    assert (event["state"], traits["project_id"], traits["allowed_actions"]) == ("SCALE_IN", "p1", [])
    await bed.until(lambda: [line["status"] for line in process.lines("replied")] == [200])
    await bed.vim.tell(NoticeType.SCALE_OUT_POSSIBLE, "c1", vnfms=("core",), key="k")
    await bed.until(lambda: [e["state"] for e in process.lines("event")] == ["SCALE_IN", "MAINTENANCE_COMPLETE"])


async def test_every_project_of_a_registration_has_to_answer(bed: Bed) -> None:
    process = await peer(bed, "doctor", "--silent", projects=("p1", "p2"))
    await ask_for_room(bed)
    await bed.until(lambda: len(process.lines("event")) == 2)
    urls = {e["traits"]["project_id"]: e["traits"]["reply_url"] for e in process.lines("event")}
    async with httpx.AsyncClient(trust_env=False) as http:
        for number, project in enumerate(("p1", "p2"), 1):
            body = {"state": "ACK_SCALE_IN", "session_id": process.lines("event")[0]["traits"]["session_id"]}
            reply = await http.put(urls[project], json=body, headers={"X-Auth-Token": f"token-of-{project}"})
            assert (reply.status_code, (await answer(bed)).result) == (200, "ACK" if number == 2 else None)


async def test_a_reply_without_a_request_is_refused_and_about_the_newest_otherwise(bed: Bed) -> None:
    process = await peer(bed, "doctor", "--silent")
    await bed.vim.tell(NoticeType.MAINTENANCE_PLANNED, "c1", key="a")
    await bed.until(lambda: len(process.lines("event")) == 1)
    url = process.lines("event")[0]["traits"]["reply_url"]
    async with httpx.AsyncClient(headers={"X-Auth-Token": "token-of-p1"}, trust_env=False) as http:
        early = await http.put(url, json={"state": "ACK_SCALE_IN"})
        assert (early.status_code, early.json()["code"]) == (409, "ESC-VIM-007")
        await ask_for_room(bed)
        await bed.until_state("core", "delivered", TASK)
        await bed.clock.advance(REPLY_TIMEOUT_S)
        await bed.until_state("core", "silent", TASK)
        late = await http.put(url, json={"state": "ACK_SCALE_IN"})
        assert (late.status_code, late.json()["code"]) == (409, "ESC-VIM-006")
        await ask_for_room(bed, task="c1/scale-in/2")
        assert (await http.put(url, json={"state": "NACK_SCALE_IN"})).status_code == 200
    assert [(await answer(bed, task)).result for task in (TASK, "c1/scale-in/2")] == [None, "NACK"]


async def test_asked_for_room_nothing_is_said_of_single_instances(bed: Bed) -> None:
    process = await peer(bed, "doctor", "--silent")
    await ask_for_room(bed)
    await bed.until(lambda: len(process.lines("event")) == 1)
    url = process.lines("event")[0]["traits"]["reply_url"]
    async with httpx.AsyncClient(headers={"X-Auth-Token": "token-of-p1"}, trust_env=False) as http:
        body = {"state": "ACK_PLANNED_MAINTENANCE", "instance_actions": {"vm-1": "MIGRATE"}}
        assert (await http.put(url, json=body)).status_code == 200
    assert (await answer(bed)).state == "open"


@pytest.mark.parametrize(("end", "result"), [("exit 0", "ACK"), ("echo busy hour >&2; exit 70", "NACK")])
async def test_a_command_scales_in_and_out(bed: Bed, end: str, result: str) -> None:
    log = bed.folder / "verbs"
    file = bed.folder / "scale"
    file.write_text(f'#!/bin/sh\ncat >> {log}.json\necho >> {log}.json\necho "$1" >> {log}\n{end}')
    file.chmod(stat.S_IRWXU)
    commands = {"ems": VnfCommand(argv=(str(file), "{verb}"))}
    dialect = Commands(commands, bed.base_url, Limits().max_defer_s, os.environ, bed.clock)
    dialect.on_reply = lambda: bed.vim.look("command")
    bed.dialects["command"] = dialect
    spec = VnfmSpec(dialect="command", commands=Names(prepare="ems", scale="ems"), projects=("p1",))
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    await ask_for_room(bed)
    await bed.until_woken()
    said = await answer(bed)
    assert (said.result, said.dispositions, "busy hour" in said.reason) == (result, {}, result == "NACK")
    await bed.vim.tell(NoticeType.SCALE_OUT_POSSIBLE, "c1", vnfms=("core",), key="k")
    await bed.until(lambda: log.read_text().split() == ["scale-in", "scale-out"])
    await dialect.close()


async def test_who_has_no_word_for_it_counts_as_not_reached(bed: Bed) -> None:
    spec = VnfmSpec(dialect="command", commands=Names(prepare="nothing"), projects=("p1",))
    bed.dialects["command"] = Commands({}, bed.base_url, Limits().max_defer_s, os.environ, bed.clock)
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    await ask_for_room(bed)
    await bed.until_woken()
    said = await answer(bed)
    assert (said.state, "for scale-in" in said.error) == ("undeliverable", True)
