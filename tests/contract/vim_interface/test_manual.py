"""Notices to people: the operator's command tells them, and they answer at Escalator."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from beds.vnfm.bed import INSTANCES, REPLY_TIMEOUT_S, TURNS, Bed, opened_bed
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, InputError, NotFoundError
from escalator.model.notice import NoticeType, Reply, Vnfm, VnfmSpec
from escalator.settings import Manual as Settings
from escalator.settings import Vim as Limits
from escalator.vim_interface.dialects.manual import Manual
from escalator.vim_interface.facts import PlannedWindow
from escalator.vim_interface.negotiation import Verdict
from escalator.vim_interface.port import Announcement, Reachability
from escalator.vim_interface.vim import HANDED_OVER

TOLD = """#!/bin/sh
cat > "$1/$2.json.new" && mv "$1/$2.json.new" "$1/$2.json"
"""
ALL = ("{contact}", "{vnfm}", "{notice}", "{campaign}", "{node}")


def script(folder: Path, text: str) -> str:
    file = folder / "tell"
    file.write_text(text)
    file.chmod(stat.S_IRWXU)
    return str(file)


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("vi-vnfm", tmp_path) as opened:
        yield opened


async def duty(bed: Bed, *argv: str, timeout_s: float = 10.0) -> None:
    """A person on duty who speaks for project p1, told by that command."""
    bed.dialects["manual"] = Manual(Settings(argv=argv), bed.base_url, timeout_s, os.environ)
    spec = VnfmSpec(dialect="manual", contact="core-duty@example.net", projects=("p1",))
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))


async def told(bed: Bed, notice: str) -> dict[str, Any]:
    await bed.until((bed.folder / f"{notice}.json").exists)
    return json.loads((bed.folder / f"{notice}.json").read_text())


async def test_the_command_gets_the_notice_and_the_person_answers_with_the_cli(bed: Bed) -> None:
    await duty(bed, script(bed.folder, TOLD), str(bed.folder), "{notice}")
    (notice,) = await bed.ask()
    message = await told(bed, notice)
    assert message["contact"] == "core-duty@example.net"
    # As they stand they are a whole answer: a bare ACK would allow live migrations only.
    reply = f"escalator notice reply {notice} --result"
    assert message["answerWith"] == f"{reply} ACK --all MOVED"
    assert message["answerWithKeep"] == f"{reply} ACK --all KEEP"
    assert message["refuseWith"] == f"{reply} NACK"
    assert [resource["resourceId"] for resource in message["affectedResources"]] == ["vm-1"]
    await bed.until_state("core", "delivered")
    assert await bed.vim.reply(notice, Reply(result="ACK", instances={"vm-1": "MOVED"}), "anna") is Verdict.ACCEPTED
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.state, answer.result, dict(answer.dispositions)) == ("answered", "ACK", {"vm-1": "MOVED"})
    (event,) = [e for e in await bed.store.events.read(0, limit=100) if e.action == "notice.reply"]
    assert (event.object_id, event.node, event.outcome, event.by) == (notice, "cn-1", "ACK", "anna")
    assert event.message == "anna answered ACK for core"


async def test_each_placeholder_is_one_argument_whatever_is_in_it(bed: Bed) -> None:
    out = bed.folder / "arguments"
    text = f'#!/bin/sh\nprintf "%s\\n" "$#" "$@" > {out}.new && mv {out}.new {out}\n'
    await duty(bed, script(bed.folder, text), "a b", *ALL)
    (notice,) = await bed.ask()
    await bed.until((bed.folder / "arguments").exists)
    lines = (bed.folder / "arguments").read_text().splitlines()
    assert lines == ["6", "a b", "core-duty@example.net", "core", notice, "c1", "cn-1"]


async def test_the_same_answer_again_changes_nothing_and_another_one_is_refused(bed: Bed) -> None:
    await duty(bed, script(bed.folder, TOLD), str(bed.folder), "{notice}")
    (notice,) = await bed.ask()
    await bed.until_state("core", "delivered")
    await bed.vim.reply(notice, Reply(result="NACK", reason="busy hour"))
    assert await bed.vim.reply(notice, Reply(result="NACK", reason="busy hour")) is Verdict.DUPLICATE
    with pytest.raises(ConflictError) as refused:
        await bed.vim.reply(notice, Reply(result="ACK"))
    assert refused.value.code is Code.VIM_SUPERSEDED
    said = [e.outcome for e in await bed.store.events.read(0, limit=100) if e.action == "notice.reply"]
    assert said == ["NACK", "duplicate", "refused"]


async def test_answers_that_are_late_unfit_or_for_nothing_are_refused(bed: Bed) -> None:
    await duty(bed, script(bed.folder, TOLD), str(bed.folder), "{notice}")
    (notice,) = await bed.ask()
    await bed.until_state("core", "delivered")
    with pytest.raises(InputError) as unfit:
        await bed.vim.reply(notice, Reply(result="DEFER", instances={"vm-2": "MOVED"}))
    assert {problem.path for problem in unfit.value.problems} == {"until", "instances.vm-2"}
    with pytest.raises(NotFoundError):
        await bed.vim.reply("nothing", Reply(result="ACK"))
    await bed.clock.advance(REPLY_TIMEOUT_S)
    await bed.until_state("core", "silent")
    with pytest.raises(ConflictError) as late:
        await bed.vim.reply(notice, Reply(result="ACK"))
    assert late.value.code is Code.VIM_LATE


async def test_the_command_is_told_what_a_campaign_will_touch_and_when(bed: Bed) -> None:
    await duty(bed, script(bed.folder, TOLD), str(bed.folder), "{notice}")
    window = PlannedWindow(start=3600.0, end=7200.0, nodes=())
    what = Announcement(
        campaign="c1", key="k", instances=INSTANCES, planned={"vm-1": "in-place"}, first_at={"vm-1": 3700.0}, windows=(window,)
    )
    await bed.vim.announced.tell(what)
    await bed.vim.announced.tell(what)
    (notice,) = await bed.store.notices.list("c1", 10)
    message = await told(bed, notice.id)
    (resource,) = message["affectedResources"]
    assert (resource["resourceId"], resource["plannedAction"]) == ("vm-1", "in-place")
    assert message["details"] == {
        "instances": "1",
        "windowStart": "1970-01-01T01:00:00.000Z",
        "windowEnd": "1970-01-01T02:00:00.000Z",
        "firstAt": "1970-01-01T01:01:40.000Z",
    }


async def test_a_notice_that_only_tells_takes_no_answer(bed: Bed) -> None:
    await duty(bed, script(bed.folder, TOLD), str(bed.folder), "{notice}")
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="k")
    (notice,) = await bed.store.notices.list("c1", 10)
    message = await told(bed, notice.id)
    assert "answerWith" not in message
    with pytest.raises(ConflictError):
        await bed.vim.reply(notice.id, Reply(result="ACK"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\necho no such contact >&2; exit 1\n", "ended with 1: no such contact"),
        ("#!/bin/sh\nkill -9 $$\n", "ended with -9"),
    ],
)
async def test_a_command_that_fails_is_no_silence(bed: Bed, text: str, said: str) -> None:
    await duty(bed, script(bed.folder, text))
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("core")
    assert answer.state == "undeliverable"
    assert said in answer.error


async def test_a_command_that_says_later_is_run_again(bed: Bed) -> None:
    text = f"#!/bin/sh\n[ -e {bed.folder}/once ] && exit 0\ntouch {bed.folder}/once; exit 75\n"
    await duty(bed, script(bed.folder, text))
    await bed.ask()
    await bed.until((bed.folder / "once").exists)
    await _attempted(bed, 1)
    await bed.clock.advance(Limits().retry_s)
    await bed.until_state("core", "delivered")
    assert (await bed.notice("core")).attempts == 2


async def test_a_command_that_hangs_is_ended_and_tried_again(bed: Bed) -> None:
    await duty(bed, script(bed.folder, "#!/bin/sh\nexec sleep 60\n"), timeout_s=0.1)
    await bed.ask()
    await _attempted(bed, 1)
    notice = await bed.notice("core")
    assert notice.error_code == Code.VIM_UNREACHABLE.value
    assert "did not end within 0.1 s" in str(notice.error)


async def _attempted(bed: Bed, times: int) -> None:
    for _ in range(TURNS):
        if (await bed.notice("core")).attempts == times:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it was not tried")


async def test_a_test_notice_comes_on_the_way_of_every_other_one_and_asks_for_nothing(bed: Bed) -> None:
    await duty(bed, script(bed.folder, TOLD), str(bed.folder), "{notice}")
    (vnfm,) = await bed.store.vnfms.list()
    assert await bed.vim.test(vnfm, notice=True) == Reachability("core", ok=True, message=HANDED_OVER)
    message = await told(bed, "TEST")
    assert (message["notificationType"], message["contact"]) == ("TEST", "core-duty@example.net")
    assert "It asks for nothing" in message["comment"]
    assert not message.keys() & {"answerWith", "refuseWith", "affectedResources"}
    assert await bed.store.notices.list() == []
    other = Vnfm(name="other", spec=VnfmSpec(callback_uri="http://127.0.0.1:9/n", projects=("p2",)))
    refused = await bed.vim.test(other, notice=True)
    assert (refused.ok, refused.remedy) == (False, "escalator vnfm test other asks its address.")


async def test_nobody_is_told_for_a_test_which_only_looks_for_the_command(bed: Bed) -> None:
    await duty(bed, script(bed.folder, TOLD), str(bed.folder), "{notice}")
    (vnfm,) = await bed.store.vnfms.list()
    assert (await bed.vim.test(vnfm)).ok
    assert list(bed.folder.glob("*.json")) == []
    bed.dialects["manual"] = Manual(Settings(argv=("/no/such/command",)), bed.base_url, 1.0, os.environ)
    assert "is not there" in (await bed.vim.test(vnfm)).message
    bed.dialects["manual"] = Manual(Settings(), bed.base_url, 1.0, os.environ)
    assert "Nothing tells the people of VNF manager core" in (await bed.vim.test(vnfm)).message


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (VnfmSpec(dialect="manual", projects=("p1",)), "spec.contact"),
        (VnfmSpec(dialect="manual", contact="x", callback_uri="http://192.0.2.1/"), "spec.callback_uri"),
    ],
)
async def test_a_registration_names_whom_to_tell_and_no_address(bed: Bed, spec: VnfmSpec, path: str) -> None:
    with pytest.raises(InputError) as refused:
        await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    assert [problem.path for problem in refused.value.problems] == [path]


async def test_the_command_sees_none_of_the_managers_secrets(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PASSWORD", "secret")
    text = f"#!/bin/sh\nenv > {bed.folder}/seen.new && mv {bed.folder}/seen.new {bed.folder}/seen\n"
    await duty(bed, script(bed.folder, text))
    await bed.ask()
    await bed.until((bed.folder / "seen").exists)
    assert "secret" not in (bed.folder / "seen").read_text()


async def test_who_takes_an_agreement_back_hears_how_to_stop_the_node(bed: Bed) -> None:
    await duty(bed, script(bed.folder, TOLD), str(bed.folder), "{notice}")
    (notice,) = await bed.ask()
    await bed.until_state("core", "delivered")
    await bed.vim.reply(notice, Reply(result="ACK"))
    with pytest.raises(ConflictError) as refused:
        await bed.vim.reply(notice, Reply(result="NACK"))
    assert "escalator node hold cn-1" in refused.value.remedy
    assert "escalator campaign pause c1" in refused.value.remedy
