"""What Tacker did can be seen although its call that says so was lost: it does not repeat one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from beds.vnfm.bed import REPLY_TIMEOUT_S, Bed, opened_bed
from contract.vim_interface.test_tacker import OWN, PAIR, TOKEN, ask, healed, peer
from escalator.model.progress import NodeTask, TaskState
from escalator.storage.port import CampaignRow


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("tacker", tmp_path) as opened:
        opened.tokens[TOKEN] = "p1"
        opened.cloud = PAIR
        await opened.store.campaigns.add(CampaignRow(name="c1", document={}))
        await opened.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=TaskState.RUNNING))
        yield opened


async def test_vms_that_were_deleted_are_the_answer_although_nobody_took_their_alarms_back(bed: Bed) -> None:
    process = await peer(bed, "--lost")
    await ask(bed)
    await healed(bed, process)
    assert dict((await bed.answer("core")).dispositions) == OWN
    assert process.lines("deregistered") == []
    alarms = await bed.store.alarms.of_servers(list(OWN))
    assert [alarm.ended_at is not None for alarm in alarms] == [True, True]
    await ask(bed, task="c1/cn-1/2")
    await bed.until(lambda: any(task == "c1/cn-1/2" for task, *_ in bed.woken), passing=True)
    assert "ESC-VIM-014" in (await bed.answer("core", "c1/cn-1/2")).error


async def test_an_alarm_of_a_vm_that_somebody_else_moved_away_stays(bed: Bed) -> None:
    process = await peer(bed, "--never-heal")
    await ask(bed)
    await bed.until_state("core", "delivered")
    bed.cloud = tuple(i.model_copy(update={"node": "cn-2"}) for i in PAIR)
    await bed.until_woken(passing=True)
    assert dict((await bed.answer("core")).dispositions) == OWN
    assert [alarm.ended_at for alarm in await bed.store.alarms.of_servers(list(OWN))] == [None, None]
    assert process.lines("deregistered") == []


async def test_one_of_two_that_stays_with_its_alarm_is_silence(bed: Bed) -> None:
    await peer(bed, "--never-heal")
    await ask(bed)
    await bed.until_state("core", "delivered")
    bed.cloud = (PAIR[0], PAIR[1].model_copy(update={"node": "cn-2"}))
    await bed.clock.advance(REPLY_TIMEOUT_S)
    await bed.until_woken()
    assert (await bed.answer("core")).state == "silent"
