"""Each instance whose move is over is told of by itself, where that is wanted: processes that know nothing of Escalator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from beds.vnfm.bed import TASK, TURNS, Bed, opened_bed
from beds.vnfm.processes import VnfmProcess
from contract.vim_interface.test_fenix import KINDS, TOKEN, ask, peer
from escalator.model.notice import NoticeType, SubscriptionRight
from escalator.model.progress import NodeTask, TaskState
from escalator.model.subscription import Filter, Subscription
from escalator.storage.port import CampaignRow

DONE = "INSTANCE_ACTION_DONE"
WANTED = (NoticeType.HOST_MAINTENANCE_UPCOMING, NoticeType.RESOURCE_ACTION_DONE, NoticeType.HOST_AVAILABLE)


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("fenix", tmp_path) as opened:
        opened.tokens[TOKEN] = "p1"
        await opened.store.campaigns.add(CampaignRow(name="c1", document={}))
        await opened.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=TaskState.RUNNING))
        yield opened


@pytest.fixture
async def native(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("vi-vnfm", tmp_path) as opened:
        await opened.vnfm("core", "moves", "p1")
        yield opened


def told_of(process: VnfmProcess) -> list[object]:
    return [line["traits"]["instance_ids"] for line in process.lines("event") if line["state"] == DONE]


async def until_noted(bed: Bed) -> None:
    """Wait until it is noted that what is over was told: what is cut off before that is told once more, later."""
    for _ in range(TURNS):
        told = [n for n in await bed.store.notices.list("c1") if n.type is NoticeType.RESOURCE_ACTION_DONE]
        if [n.state.value for n in told] == ["delivered"]:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it was never noted")


@pytest.mark.parametrize("like", KINDS)
async def test_who_is_made_for_fenix_hears_of_each_instance_once_when_it_has_moved(bed: Bed, like: str) -> None:
    process = await peer(bed, like)
    await ask(bed)
    await bed.until_woken()
    await bed.vim.finished.tell(TASK, "vm-2")
    await until_noted(bed)
    await bed.restart()
    await bed.vim.finished.tell(TASK, "vm-2")
    await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=("core",), key="b", task=TASK)
    await bed.until(lambda: len(told_of(process)) == 2)
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="c")
    await bed.until(lambda: process.lines("event")[-1]["state"] == "MAINTENANCE_COMPLETE")
    assert told_of(process) == [["vm-2"], ["vm-1"]]


async def test_nobody_hears_of_what_it_was_not_asked_about(bed: Bed) -> None:
    process = await peer(bed, "tacker")
    await ask(bed)
    await bed.until_woken()
    await bed.vim.finished.tell(TASK, "vm-9")
    await bed.vim.finished.tell("c1/cn-2/1", "vm-1")
    await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=("core",), key="b", task=TASK)
    await bed.until(lambda: len(told_of(process)) == 2)
    assert [n.type for n in await bed.store.notices.list("c1")].count(NoticeType.RESOURCE_ACTION_DONE) == 0


@pytest.mark.parametrize("kinds", [WANTED, None])
async def test_a_native_one_hears_of_it_when_its_subscription_names_it(native: Bed, kinds: tuple[NoticeType, ...] | None) -> None:
    (vnfm,) = await native.store.vnfms.list()
    (native.folder / "own").write_text("a-credential-of-its-own")
    (native.folder / "own").chmod(0o600)
    right = SubscriptionRight(type="bearer", credential="own")
    changed = vnfm.spec.model_copy(update={"subscription": right, "callback_uri": None})
    await native.vim.registry.replace(vnfm.model_copy(update={"spec": changed}))
    wanted = Filter() if kinds is None else Filter(notificationTypes=kinds)
    uri = native.processes["core"].callback_uri
    await native.store.subscriptions.add(Subscription(vnfm="core", callback_uri=uri, filter=wanted))
    await native.ask()
    await native.until_woken()
    await native.vim.finished.tell(TASK, "vm-1")
    await native.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=("core",), key="b", task=TASK)
    expected = {"HostMaintenanceUpcoming", "HostAvailable", *(() if kinds is None else ("ResourceActionDone",))}
    # What goes out at the same time arrives in any order.
    await native.until(lambda: dict(native.heard("core")).keys() >= expected)
    assert {notice.type.value for notice in await native.store.notices.list("c1")} == expected
    bodies = {line["body"]["notificationType"]: line["body"] for line in native.processes["core"].lines("notified")}
    if kinds is not None:
        assert [one["resourceId"] for one in bodies["ResourceActionDone"]["affectedResources"]] == ["vm-1"]
        assert "replyUri" not in bodies["ResourceActionDone"]
