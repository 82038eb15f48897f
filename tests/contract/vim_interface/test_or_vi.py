"""Orchestrators over real HTTP: told in order, each thing once, later when they do not answer; never asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from beds.vnfm.bed import TASK, TURNS, Bed, opened_bed
from beds.vnfm.clocks import quiet
from beds.vnfm.processes import ORCHESTRATOR, VnfmProcess, vnfm_process
from escalator.api.or_vi import OrchestratorNotification, Subscription, example
from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.notice import FOR_ORCHESTRATORS, Auth, Notice, NoticeState, NoticeType, Vnfm, VnfmSpec
from escalator.model.progress import Event
from escalator.vim_interface.accounts import Accounts
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.or_vi import OrVi
from escalator.vim_interface.facts import (
    CapacityReturned,
    CapacityTaken,
    Fact,
    Moved,
    PlannedNode,
    PlannedWindow,
    StateChange,
    Switched,
    Windows,
)

DAY_S = 86400.0
FAR = 1e12
DESCRIBED: TypeAdapter[Any] = TypeAdapter(OrchestratorNotification)
TAKEN = CapacityTaken(campaign="c1", node="cn-1", hold="c1/cn-1/1", zone="az1", capacity={"pcpu": 48.0, "mem_mib": 196608.0})
RETURNED = CapacityReturned(campaign="c1", node="cn-1", hold="c1/cn-1/1", upgraded=True, versions={"agent": "2.0.0"})
MOVED = Moved(campaign="c1", move="c1/cn-1/1/vm-1/1", instance="vm-1", origin="cn-1", target="cn-2", kind="live")
COMPLETED = StateChange(campaign="c1", number=1, state="completed")


def whole(start: float) -> Sequence[Fact]:
    """A campaign of one node, from its plan to its end."""
    nodes = (PlannedNode(node="cn-1", start=start + 3600, end=start + 5400),)
    windows = (
        PlannedWindow(start=start + 3600, end=start + 9000, nodes=nodes),
        PlannedWindow(start=start + DAY_S, end=None, nodes=()),
    )
    stopped = Switched(campaign="c1", node="cn-1", stop="c1/cn-1/1/instance-stopped/vm-2", instance="vm-2", running=False)
    running = Switched(campaign="c1", node="cn-1", stop="c1/cn-1/1/instance-stopped/vm-2", instance="vm-2", running=True)
    return (Windows(campaign="c1", plan="plan-1", windows=windows), TAKEN, MOVED, stopped, running, RETURNED, COMPLETED)


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("vi-vnfm", tmp_path) as opened:
        opened.dialects["or-vi"] = above = OrVi(Accounts(Credentials(tmp_path)), opened.base_url, 5.0, "site7")
        opened.stack.push_async_callback(above.close)
        yield opened


async def orchestrator(bed: Bed, *arguments: str, name: str = "nfvo", auth: Auth | None = None) -> VnfmProcess:
    process = bed.stack.enter_context(vnfm_process(bed.folder / f"{name}.jsonl", *arguments, program=ORCHESTRATOR))
    bed.processes[name] = process
    spec = VnfmSpec(dialect="or-vi", callback_uri=process.callback_uri, auth=auth or Auth())
    await bed.vim.registry.add(Vnfm(name=name, spec=spec))
    return process


async def tell(bed: Bed, *facts: Fact) -> None:
    for fact in facts:
        await bed.vim.orchestrators.tell(fact)


async def until_told(bed: Bed, count: int, name: str = "nfvo") -> list[dict[str, Any]]:
    """What the orchestrator took, once it is that much."""
    await bed.until(lambda: len(bed.processes[name].lines("told")) >= count)
    await quiet()
    assert bed.processes[name].lines("misfit") == []
    return [line["body"] for line in bed.processes[name].lines("told")]


async def until_settled(bed: Bed) -> list[Notice]:
    """All notices, once none is pending, oldest first."""
    for _ in range(TURNS):
        notices = [*reversed(await bed.store.notices.list())]
        if all(notice.state is not NoticeState.PENDING for notice in notices):
            return notices
        await asyncio.sleep(0.005)
    raise AssertionError(notices)


async def until_attempts(bed: Bed, attempts: int, kind: NoticeType | None = None) -> Notice:
    """The notice at the head of the line (of that kind), once it was tried that often."""
    for _ in range(TURNS):
        await quiet()
        waiting = await bed.store.notices.due(FAR, to="nfvo")
        if waiting and waiting[0].attempts >= attempts and kind in (None, waiting[0].type):
            return waiting[0]
        await asyncio.sleep(0.005)
    raise AssertionError(waiting)


async def history(bed: Bed) -> list[Event]:
    return [event for event in await bed.store.events.read() if event.action.startswith("notice.")]


async def test_everything_is_told_in_order_in_the_documented_shape(bed: Bed) -> None:
    process = await orchestrator(bed)
    await tell(bed, *whole(bed.clock.now()))
    bodies = await until_told(bed, 7)
    assert [(body["notificationType"], body.get("changeType")) for body in bodies] == [
        ("MaintenanceWindowsNotification", None),
        ("CapacityTakenNotification", None),
        ("VirtualisedResourceChangeNotification", "MIGRATED"),
        ("VirtualisedResourceChangeNotification", "STOPPED"),
        ("VirtualisedResourceChangeNotification", "STARTED"),
        ("CapacityReturnedNotification", None),
        ("CampaignStateNotification", None),
    ]
    assert len({body["id"] for body in bodies}) == 7
    assert {(body["vimId"], body["campaignId"], body["subscriptionId"]) for body in bodies} == {("site7", "c1", "nfvo")}
    for body in [*bodies, example()]:
        DESCRIBED.validate_json(json.dumps(body))
    assert process.lines("again") == []


async def test_a_resource_change_has_the_members_of_ifa_005(bed: Bed) -> None:
    await orchestrator(bed)
    await orchestrator(bed, name="other")
    await tell(bed, MOVED)
    (body,), (other,) = await until_told(bed, 1), await until_told(bed, 1, "other")
    assert body["virtualisedResourceId"] == "vm-1"
    assert body["changedResourceData"] == {
        "previousHostId": "cn-1",
        "hostId": "cn-2",
        "migrationType": "live_migration",
        "operational": True,
    }
    assert body["changeId"] == other["changeId"]
    assert body["id"] != other["id"]


async def test_the_link_of_a_notification_leads_to_the_subscription(bed: Bed) -> None:
    await orchestrator(bed)
    await bed.vnfm("vnfm-1", "moves", "p1")
    await tell(bed, COMPLETED)
    (body,) = await until_told(bed, 1)
    uri = body["_links"]["subscription"]["href"]
    async with httpx.AsyncClient() as client:
        found = await client.get(uri)
        assert Subscription.model_validate_json(found.content).id == "nfvo"
        assert set(found.json()["notificationTypes"]) == {kind.value for kind in FOR_ORCHESTRATORS}
        strangers = [await client.get(uri.replace("nfvo", name)) for name in ("vnfm-1", "nobody")]
    assert [(answer.status_code, answer.json()["code"]) for answer in strangers] == [(404, "ESC-VIM-001")] * 2


async def test_who_does_not_answer_for_a_while_hears_everything_in_order_and_once(bed: Bed) -> None:
    process = await orchestrator(bed, "--status", "503")
    facts = whole(bed.clock.now())
    await tell(bed, *facts[:4])
    pauses = []
    for attempts in range(1, 7):
        head = await until_attempts(bed, attempts)
        assert (head.type, head.error_code) == (NoticeType.WINDOWS, "ESC-VIM-005")
        pauses.append(head.next_attempt_at - bed.clock.now())
        if attempts == 3:
            await tell(bed, *facts[4:])
        if attempts < 6:
            await bed.clock.advance_to(head.next_attempt_at)
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    assert len(process.lines("deaf")) == 6
    process.control(status=204)
    await bed.clock.advance(60.0)
    bodies = await until_told(bed, 7)
    notices = await until_settled(bed)
    assert [body["id"] for body in bodies] == [notice.id for notice in notices]
    assert [notice.type for notice in notices][-2:] == [NoticeType.CAPACITY_RETURNED, NoticeType.CAMPAIGN_STATE]
    assert [(event.action, event.code) for event in await history(bed)] == [
        ("notice.delayed", "ESC-VIM-015"),
        ("notice.delivered", None),
    ]


async def test_a_restart_in_the_middle_loses_nothing_and_changes_no_order(bed: Bed) -> None:
    process = await orchestrator(bed, "--status", "503")
    facts = whole(bed.clock.now())
    await tell(bed, *facts[:3])
    await until_attempts(bed, 1)
    await bed.restart()
    await tell(bed, *facts[1:])
    await until_attempts(bed, 1)
    await bed.restart()
    process.control(status=204)
    await bed.clock.advance(60.0)
    bodies = await until_told(bed, 7)
    assert [body["notificationType"] for body in bodies][:2] == ["MaintenanceWindowsNotification", "CapacityTakenNotification"]
    assert [body["id"] for body in bodies] == [notice.id for notice in await until_settled(bed)]


async def test_an_orchestrator_that_is_down_and_comes_back_on_its_address_hears_the_rest(bed: Bed) -> None:
    process = await orchestrator(bed)
    await tell(bed, TAKEN)
    await until_told(bed, 1)
    process.process.kill()
    process.process.wait()
    await tell(bed, MOVED, RETURNED)
    assert (await until_attempts(bed, 1)).error_code == "ESC-VIM-003"
    with ExitStack() as again:
        port = ("--port", str(process.port))
        again.enter_context(vnfm_process(process.log, *port, program=ORCHESTRATOR))
        await bed.clock.advance(5.0)
        bodies = await until_told(bed, 3)
    assert [body["notificationType"] for body in bodies[1:]] == [
        "VirtualisedResourceChangeNotification",
        "CapacityReturnedNotification",
    ]


async def test_the_same_fact_again_is_no_news(bed: Bed) -> None:
    process = await orchestrator(bed)
    await tell(bed, TAKEN, TAKEN)
    await bed.restart()
    await tell(bed, TAKEN, RETURNED, RETURNED)
    await until_told(bed, 2)
    await until_settled(bed)
    assert [line["what"] for line in process.lines()] == ["told", "told"]


async def test_what_ends_is_told_to_those_alone_who_know_that_it_began(bed: Bed) -> None:
    await orchestrator(bed)
    await tell(bed, TAKEN)
    await orchestrator(bed, name="late")
    await tell(bed, RETURNED, COMPLETED)
    await until_told(bed, 3)
    assert [body["notificationType"] for body in await until_told(bed, 1, "late")] == ["CampaignStateNotification"]


async def test_what_is_refused_is_given_up_and_the_rest_goes_on(bed: Bed) -> None:
    process = await orchestrator(bed)
    process.control(refuse="CapacityTakenNotification")
    await tell(bed, TAKEN, MOVED)
    bodies = await until_told(bed, 1)
    assert bodies[0]["notificationType"] == "VirtualisedResourceChangeNotification"
    assert [notice.state for notice in await until_settled(bed)] == [NoticeState.UNDELIVERABLE, NoticeState.DELIVERED]
    (event,) = await history(bed)
    assert (event.action, event.code, event.node) == ("notice.undeliverable", "ESC-VIM-016", "cn-1")


async def test_what_grew_too_old_is_given_up_and_the_rest_goes_on(bed: Bed) -> None:
    process = await orchestrator(bed, "--status", "503")
    await tell(bed, TAKEN)
    await until_attempts(bed, 1)
    await bed.stop()
    await bed.clock.advance(8 * DAY_S)
    await bed.restart()
    await tell(bed, MOVED)
    await until_attempts(bed, 1, NoticeType.RESOURCE_CHANGE)
    process.control(status=204)
    await bed.clock.advance(5.0)
    await until_told(bed, 1)
    assert [notice.state for notice in await until_settled(bed)] == [NoticeState.UNDELIVERABLE, NoticeState.DELIVERED]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500])
async def test_trouble_on_the_way_loses_nothing(bed: Bed, status: int) -> None:
    process = await orchestrator(bed, "--status", str(status))
    await tell(bed, TAKEN, MOVED)
    await until_attempts(bed, 1)
    process.control(status=204)
    await bed.clock.advance(5.0)
    await until_told(bed, 2)


async def test_credentials_that_are_put_right_count_at_once(bed: Bed) -> None:
    file = bed.folder / "nfvo-token"
    file.write_text("wrong")
    file.chmod(0o600)
    process = await orchestrator(bed, "--credential", "right", auth=Auth(type="bearer", credential="nfvo-token"))
    await tell(bed, TAKEN)
    assert (await until_attempts(bed, 1)).error_code == "ESC-VIM-004"
    file.unlink()
    await bed.clock.advance(5.0)
    assert (await until_attempts(bed, 2)).error_code == "ESC-VIM-010"
    file.write_text("right")
    file.chmod(0o600)
    await bed.clock.advance(10.0)
    await until_told(bed, 1)
    assert len(process.lines("stranger")) == 1
    assert "right" not in repr(await bed.store.notices.list())


async def test_who_is_registered_again_under_its_name_hears_what_waited(bed: Bed) -> None:
    await orchestrator(bed, "--status", "503")
    await tell(bed, TAKEN)
    await until_attempts(bed, 1)
    await bed.store.vnfms.remove("nfvo")
    await bed.clock.advance(5.0)
    await until_attempts(bed, 2)
    await orchestrator(bed)
    await bed.clock.advance(10.0)
    await until_told(bed, 1)


async def test_it_is_never_asked_and_owns_nothing(bed: Bed) -> None:
    process = await orchestrator(bed)
    await bed.vnfm("vnfm-1", "moves", "p1")
    await bed.ask()
    await bed.until_woken()
    await bed.vim.tell(NoticeType.MAINTENANCE_PLANNED, "c1", key="begin")
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="end")
    await bed.vim.cancel(TASK)
    await tell(bed, *whole(bed.clock.now()))
    await until_told(bed, 7)
    assert {notice.type for notice in await until_settled(bed) if notice.vnfm == "nfvo"} == FOR_ORCHESTRATORS
    assert {kind for kind, _ in bed.heard("vnfm-1")} == {
        "MaintenancePlanned",
        "HostMaintenanceUpcoming",
        "CampaignCompleted",
        "NoticeCancelled",
    }
    assert {line["body"]["notificationType"] for line in process.lines("told")} == {kind.value for kind in FOR_ORCHESTRATORS}
    assert all("replyUri" not in line["body"] for line in process.lines("told"))


async def test_a_name_that_changes_sides_gets_nothing_that_was_meant_for_the_other(bed: Bed) -> None:
    await orchestrator(bed, "--status", "503")
    await tell(bed, TAKEN)
    await until_attempts(bed, 1)
    await bed.store.vnfms.remove("nfvo")
    await bed.vnfm("nfvo", "moves", "p1")
    await bed.clock.advance(5.0)
    (notice,) = await until_settled(bed)
    assert (notice.state, notice.error_code) == (NoticeState.UNDELIVERABLE, "ESC-VIM-009")
    assert bed.processes["nfvo"].lines("notified") == []


@pytest.mark.parametrize("owned", ["projects", "vnfs", "instances"])
async def test_a_registration_that_owns_something_is_refused(bed: Bed, owned: str) -> None:
    spec = VnfmSpec(dialect="or-vi", callback_uri="http://127.0.0.1:1/notices", **{owned: ("p1",)})
    with pytest.raises(InputError) as raised:
        await bed.vim.registry.add(Vnfm(name="nfvo", spec=spec))
    assert raised.value.code is Code.VIM_REGISTRATION
    assert [problem.path for problem in raised.value.problems] == [f"spec.{owned}"]


async def test_a_registration_without_an_address_is_refused(bed: Bed) -> None:
    with pytest.raises(InputError) as raised:
        await bed.vim.registry.add(Vnfm(name="nfvo", spec=VnfmSpec(dialect="or-vi")))
    assert [problem.path for problem in raised.value.problems] == ["spec.callback_uri"]


async def test_its_address_is_tested_like_a_vnf_managers(bed: Bed) -> None:
    process = await orchestrator(bed)
    (found,) = await bed.vim.reach(await bed.vim.orchestrators.names())
    assert found.ok
    process.control(status=503)
    (found,) = await bed.vim.reach(["nfvo"])
    assert (found.ok, found.code) == (False, "ESC-VIM-005")
    assert "Orchestrator nfvo" in found.message


async def test_without_an_orchestrator_nothing_is_written_and_storage_is_hardly_asked(bed: Bed) -> None:
    await bed.vnfm("vnfm-1", "moves", "p1")
    asked = 0
    listing = bed.store.vnfms.list

    async def counted() -> Sequence[Vnfm]:
        nonlocal asked
        asked += 1
        return await listing()

    bed.store.vnfms.list = counted  # type: ignore[method-assign]  # counts what goes to storage
    for _ in range(1000):
        await tell(bed, MOVED)
    assert asked == 1
    assert await bed.store.notices.list() == []
    await bed.clock.advance(5.0)
    await tell(bed, MOVED)
    assert asked == 2
