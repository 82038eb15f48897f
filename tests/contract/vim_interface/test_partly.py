"""VNF managers that answer about some of their instances only, over each dialect in which that can be said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from beds.vnfm.bed import REPLY_TIMEOUT_S, Bed, opened_bed
from beds.vnfm.processes import FENIX_PEER, vnfm_process
from contract.vim_interface.test_fenix import PAIR, TOKEN, ask
from escalator.model.inventory import Instance
from escalator.model.notice import Vnfm, VnfmSpec
from escalator.model.progress import NodeTask, TaskState
from escalator.storage.port import CampaignRow
from escalator.world.records import VnfmRow

THREE = (*PAIR, Instance(id="vm-3", project="p1", node="cn-1"))
SAID = {"simulated": "MOVED", "fenix": "OWN_ACTION"}


@pytest.fixture(params=sorted(SAID))
async def bed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed(request.param, tmp_path) as opened:
        opened.tokens[TOKEN] = "p1"
        await opened.store.campaigns.add(CampaignRow(name="c1", document={}))
        await opened.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=TaskState.RUNNING))
        await register(opened)
        yield opened


async def register(bed: Bed) -> None:
    """A VNF manager that speaks for the first of its instances and the third, not for the second."""
    if bed.name == "simulated":
        row = VnfmRow(name="core", behaviour="partly", delay_s=20.0, projects=("p1",))
        bed.world.vnfms.put(row)
        await bed.vim.registry.add(row.registration())
        return
    arguments = ("--like", "doctor", "--token", TOKEN, "--project", "p1", "--action", "OWN_ACTION")
    only = ("--only", "vm-1", "--only", "vm-3")
    process = bed.stack.enter_context(vnfm_process(bed.folder / "core.jsonl", *arguments, *only, program=FENIX_PEER))
    spec = VnfmSpec(dialect="fenix", callback_uri=process.callback_uri, projects=("p1",))
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))


async def heard(bed: Bed) -> dict[str, str]:
    answer = await bed.answer("core")
    assert set(answer.heard) == answer.dispositions.keys()
    return dict(answer.dispositions)


async def test_about_whom_it_answers_has_its_answer_and_the_others_are_silent(bed: Bed) -> None:
    await ask(bed, *THREE)
    await bed.until_verdict("core", "partial", "partial")
    assert bed.woken == []
    assert (await bed.answer("core")).state == "open"
    await bed.clock.advance(REPLY_TIMEOUT_S)
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.state, answer.result) == ("silent", None)
    assert await heard(bed) == dict.fromkeys(("vm-1", "vm-3"), SAID[bed.name])


async def test_who_is_asked_about_whom_it_speaks_for_alone_has_answered(bed: Bed) -> None:
    await ask(bed, THREE[0])
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.state, answer.result, dict(answer.dispositions)) == ("answered", "ACK", {"vm-1": SAID[bed.name]})


async def test_what_was_said_outlives_a_restart(bed: Bed) -> None:
    await ask(bed, *THREE)
    await bed.until_verdict("core", "partial", "partial")
    await bed.restart()
    await bed.clock.advance(REPLY_TIMEOUT_S)
    await bed.until_woken()
    assert await heard(bed) == dict.fromkeys(("vm-1", "vm-3"), SAID[bed.name])
