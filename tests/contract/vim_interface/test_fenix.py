"""VNF managers made for OpenStack Fenix: processes over HTTP that know nothing of Escalator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from beds.vnfm.bed import REPLY_TIMEOUT_S, TASK, Bed, opened_bed
from beds.vnfm.processes import FENIX_PEER, VnfmProcess, vnfm_process
from escalator.model.constraint import Constraint, MaintenanceInfo
from escalator.model.errors import InputError
from escalator.model.inventory import Instance
from escalator.model.notice import NoticeType, Vnfm, VnfmSpec
from escalator.model.progress import CampaignState, NodeTask, TaskState
from escalator.storage.port import CampaignRow, ReleaseRow
from escalator.vim_interface.fenix.constraints import group_constraint
from escalator.vim_interface.fenix.events import session_id
from escalator.vim_interface.fenix.face import MAX_GROUPS
from escalator.vim_interface.fenix.hints import BEGINS_AT, METADATA, Hints, problem_of
from escalator.vim_interface.fenix.instances import AGE_S
from escalator.vim_interface.port import Ask

TOKEN = "token-of-p1"
SESSION = session_id("c1")
KINDS = ("doctor", "tacker")
PAIR = tuple(Instance(id=f"vm-{n}", project="p1", node="cn-1") for n in (1, 2))


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("fenix", tmp_path) as opened:
        opened.tokens |= {TOKEN: "p1", "token-of-p2": "p2"}
        await opened.store.campaigns.add(CampaignRow(name="c1", document={}))
        yield opened


async def peer(bed: Bed, like: str, *more: str, name: str = "core") -> VnfmProcess:
    """A VNF manager of project p1."""
    arguments = ("--like", like, "--token", TOKEN, "--project", "p1", *more)
    process = bed.stack.enter_context(vnfm_process(bed.folder / f"{name}.jsonl", *arguments, program=FENIX_PEER))
    spec = VnfmSpec(dialect="fenix", callback_uri=process.callback_uri, projects=("p1",))
    await bed.vim.registry.add(Vnfm(name=name, spec=spec))
    return process


async def ask(bed: Bed, *instances: Instance, interim: Sequence[str] = ()) -> None:
    now = bed.clock.now()
    what = {"task": TASK, "campaign": "c1", "node": "cn-1", "instances": instances or PAIR, "interim": interim}
    times = {"reply_by": now + REPLY_TIMEOUT_S, "action_at": now + REPLY_TIMEOUT_S + 1}
    await bed.vim.ask(Ask(**what, planned={i.id: "live" for i in PAIR}, **times))  # type: ignore[arg-type]


async def replied(bed: Bed, process: VnfmProcess, times: int) -> list[dict[str, Any]]:
    await bed.until(lambda: len(process.lines("replied")) >= times)
    return process.lines("replied")


def client(bed: Bed, token: str | None = TOKEN) -> httpx.AsyncClient:
    headers = {} if token is None else {"X-Auth-Token": token}
    return httpx.AsyncClient(base_url=f"{bed.base_url}/fenix/v1", headers=headers, trust_env=False)


@pytest.mark.parametrize("like", KINDS)
@pytest.mark.parametrize("action", ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"])
async def test_each_instance_is_asked_about_and_the_last_reply_is_the_answer(bed: Bed, like: str, action: str) -> None:
    process = await peer(bed, like, "--action", action)
    await ask(bed)
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.state, answer.result, dict(answer.dispositions)) == ("answered", "ACK", {"vm-1": action, "vm-2": action})
    events = process.lines("event")
    assert [(e["state"], e["traits"]["instance_ids"]) for e in events] == [
        ("PLANNED_MAINTENANCE", ["vm-1"]),
        ("PLANNED_MAINTENANCE", ["vm-2"]),
    ]
    assert events[0]["traits"]["allowed_actions"] == ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"]
    assert (events[0]["traits"]["session_id"], events[0]["traits"]["project_id"]) == (SESSION, "p1")
    times = 4 if like == "tacker" and action != "OWN_ACTION" else 2
    assert {line["status"] for line in await replied(bed, process, times)} == {200}
    assert len(bed.woken) == 1


async def test_the_active_role_is_moved_before_the_answer(bed: Bed) -> None:
    process = await peer(bed, "doctor")
    await ask(bed, PAIR[0])
    await replied(bed, process, 1)
    assert [line["what"] for line in process.lines()] == ["event", "switched", "replied"]


@pytest.mark.parametrize("like", KINDS)
async def test_one_refusal_refuses(bed: Bed, like: str) -> None:
    process = await peer(bed, like, "--refuse")
    await ask(bed)
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.state, answer.result) == ("answered", "NACK")
    assert {line["status"] for line in await replied(bed, process, 2)} == {200}


ONE = {"state": "ACK_PLANNED_MAINTENANCE", "instance_action": "MIGRATE"}


async def addresses(bed: Bed, process: VnfmProcess) -> list[str]:
    """Where replies about each of the pair go."""
    await bed.until(lambda: len(process.lines("event")) >= 2)
    return [event["traits"]["reply_url"] for event in process.lines("event")[:2]]


async def verdicts(bed: Bed) -> list[str]:
    return [row["verdict"] for row in await bed.store.notices.replies((await bed.notice("core")).id)]


async def test_at_the_deadline_those_that_were_answered_about_have_their_answer_and_the_others_are_silent(bed: Bed) -> None:
    process = await peer(bed, "doctor", "--silent")
    await ask(bed)
    first, second = await addresses(bed, process)
    async with httpx.AsyncClient(headers={"X-Auth-Token": TOKEN}, trust_env=False) as http:
        assert (await http.put(first, json=ONE)).json() == ONE
        assert (await http.put(first, json=ONE)).status_code == 200
        other = await http.put(first, json={**ONE, "instance_action": "OWN_ACTION"})
        assert (other.status_code, other.json()["code"]) == (409, "ESC-VIM-007")
    assert bed.woken == []
    before = await bed.answer("core")
    assert (before.state, dict(before.dispositions), before.heard) == ("open", {}, ())
    await bed.clock.advance(REPLY_TIMEOUT_S)
    answer = await bed.answer("core")
    assert (answer.state, answer.result, dict(answer.dispositions)) == ("silent", None, {"vm-1": "MIGRATE"})
    assert answer.heard == ("vm-1",)
    async with httpx.AsyncClient(headers={"X-Auth-Token": TOKEN}, trust_env=False) as http:
        late = await http.put(second, json=ONE)
        assert (late.status_code, late.json()["code"]) == (409, "ESC-VIM-006")
    assert await verdicts(bed) == ["partial"]


async def test_a_yes_without_a_word_on_what_may_be_done_is_no_silence(bed: Bed) -> None:
    process = await peer(bed, "doctor", "--silent")
    await ask(bed)
    first, _ = await addresses(bed, process)
    async with httpx.AsyncClient(headers={"X-Auth-Token": TOKEN}, trust_env=False) as http:
        assert (await http.put(first, json={"state": "ACK_PLANNED_MAINTENANCE"})).status_code == 200
    await bed.clock.advance(REPLY_TIMEOUT_S)
    answer = await bed.answer("core")
    assert (answer.state, dict(answer.dispositions), answer.heard) == ("silent", {}, ("vm-1",))


async def test_what_was_said_of_one_instance_outlives_a_restart(bed: Bed) -> None:
    await bed.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=TaskState.RUNNING))
    process = await peer(bed, "doctor", "--silent")
    await ask(bed)
    first, second = await addresses(bed, process)
    async with httpx.AsyncClient(headers={"X-Auth-Token": TOKEN}, trust_env=False) as http:
        assert (await http.put(first, json=ONE)).status_code == 200
        await bed.restart()
        await bed.until(lambda: len(process.lines("event")) == 4)
        assert (await http.put(second, json=ONE)).status_code == 200
    await bed.until_state("core", "answered")
    answer = await bed.answer("core")
    assert (answer.result, dict(answer.dispositions)) == ("ACK", {"vm-1": "MIGRATE", "vm-2": "MIGRATE"})
    assert await verdicts(bed) == ["partial", "partial", "accepted"]


async def test_an_action_that_is_not_possible_is_no_word_on_what_may_be_done(bed: Bed) -> None:
    await peer(bed, "tacker", "--action", "LIVE_MIGRATE")
    await ask(bed, PAIR[0].model_copy(update={"migration": "none"}))
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.result, dict(answer.dispositions)) == ("ACK", {})


@pytest.mark.parametrize("like", KINDS)
async def test_a_session_is_told_from_its_beginning_to_its_end(bed: Bed, like: str) -> None:
    process = await peer(bed, like)
    await bed.vim.tell(NoticeType.MAINTENANCE_PLANNED, "c1", key="a")
    await bed.until(lambda: len(process.lines("replied")) == 1)
    await ask(bed)
    await bed.until_woken()
    await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=("core",), key="b", task=TASK)
    await bed.until(lambda: [e["state"] for e in process.lines("event")].count("INSTANCE_ACTION_DONE") == 2)
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="c")
    await bed.until(lambda: process.lines("replied")[-1]["reply"]["state"] == "ACK_MAINTENANCE_COMPLETE")
    states = [e["state"] for e in process.lines("event")]
    assert states == ["MAINTENANCE", *["PLANNED_MAINTENANCE"] * 2, *["INSTANCE_ACTION_DONE"] * 2, "MAINTENANCE_COMPLETE"]
    assert {line["status"] for line in process.lines("replied")} == {200}
    if like == "doctor":
        assert next(line["ids"] for line in process.lines("read")) == ["vm-1"]
    heard = [e.outcome for e in await bed.store.events.read(0, limit=100) if e.action == "fenix.reply"]
    assert heard == ["ACK_MAINTENANCE", "ACK_MAINTENANCE_COMPLETE"]


async def test_after_a_restart_the_instances_are_asked_about_again(bed: Bed) -> None:
    await bed.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=TaskState.RUNNING))
    process = await peer(bed, "tacker", "--hold")
    await ask(bed)
    await bed.until_state("core", "delivered")
    await bed.restart()
    await bed.until(lambda: len(process.lines("event")) == 4)
    process.control(release=True)
    await bed.until_woken()
    assert (await bed.answer("core")).result == "ACK"
    assert len({e["alarm"] for e in process.lines("event")}) == 1
    assert {line["status"] for line in await replied(bed, process, 8)} == {200}


async def test_what_is_not_reached_is_no_silence(bed: Bed) -> None:
    spec = VnfmSpec(dialect="fenix", callback_uri="http://127.0.0.1:9/x", projects=("p1",))
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    await ask(bed)
    await bed.until_woken(passing=True)
    assert (await bed.answer("core")).state == "undeliverable"
    (vnfm,) = await bed.store.vnfms.list()
    assert not (await bed.vim.test(vnfm)).ok


async def test_an_address_that_takes_alarms_only_passes_the_test(bed: Bed) -> None:
    await peer(bed, "tacker")
    (vnfm,) = await bed.store.vnfms.list()
    assert (await bed.vim.test(vnfm)).ok


async def test_who_is_to_go_where_it_finds_nothing_new_is_asked_to_prepare(bed: Bed) -> None:
    process = await peer(bed, "tacker", "--action", "OWN_ACTION")
    await ask(bed, interim=("vm-1",))
    await bed.until_woken()
    answer = await bed.answer("core")
    # A client says what it is configured to: it is heard.
    assert dict(answer.dispositions) == {"vm-1": "OWN_ACTION", "vm-2": "OWN_ACTION"}
    first, second = process.lines("event")
    assert (first["state"], first["traits"]["allowed_actions"]) == ("PREPARE_MAINTENANCE", ["MIGRATE", "LIVE_MIGRATE"])
    assert (second["state"], second["traits"]["allowed_actions"][-1]) == ("PLANNED_MAINTENANCE", "OWN_ACTION")
    replies = await replied(bed, process, 2)
    assert {line["reply"]["state"] for line in replies} == {"ACK_PREPARE_MAINTENANCE", "ACK_PLANNED_MAINTENANCE"}
    assert {line["status"] for line in replies} == {200}
    assert [line["answer"] == line["reply"] for line in replies] == [True, True]
    async with client(bed) as http:
        await bed.store.campaigns.change("c1", [CampaignState.DRAFT], state=CampaignState.RUNNING)
        assert (await http.get(f"/maintenance/{SESSION}")).json()["state"] == "PREPARE_MAINTENANCE"


async def test_events_say_what_is_new_and_when_it_begins(bed: Bed) -> None:
    metadata = {"openstack_version": "Train", "cells": [1, 2.5, True], "of": {"ovs": "3"}}
    await bed.store.tasks.remember("c1", METADATA, metadata)
    await bed.store.tasks.remember("c1", BEGINS_AT, 1_800_000_000.0)
    process = await peer(bed, "tacker")
    await bed.vim.tell(NoticeType.MAINTENANCE_PLANNED, "c1", key="a")
    await ask(bed)
    await bed.until_woken()
    await bed.until(lambda: len(process.lines("event")) == 3)
    events = sorted((line["traits"] for line in process.lines("event")), key=lambda traits: str(traits["state"]))
    assert [event["metadata"] for event in events] == [metadata] * 3
    assert (events[0]["actions_at"], events[0]["reply_at"]) == ("2027-01-15T08:00:00", "2027-01-15T08:00:00")
    assert events[1]["actions_at"] > events[1]["reply_at"]


async def test_of_the_operators_own_campaign_the_release_is_what_is_new(bed: Bed) -> None:
    package = {"name": "agent", "version": "2.0.0"}
    spec = {"version": "2.0.0", "type": "command", "layers": {"agent": "2.0.0"}, "packages": [package]}
    document = {"apiVersion": "escalator/v1", "kind": "Release", "metadata": {"name": "agent"}, "spec": spec}
    await bed.store.releases.add(ReleaseRow(id="agent/2.0.0", digest="d", document=document, imported_at=0.0))
    await bed.store.campaigns.add(CampaignRow(name="c2", document={"spec": {"release": "agent/2.0.0"}}))
    assert (await Hints(bed.store).of("c2")).metadata == {"release": "agent/2.0.0", "agent": "2.0.0"}
    await bed.store.campaigns.add(CampaignRow(name="c3", document={"spec": {"release": "gone/1"}}))
    assert (await Hints(bed.store).of("c3")).metadata == {}


@pytest.mark.parametrize("wrong", ["it's", 'a "b"', "back\\slash", "line\n", None, float("inf"), "x" * 300, [[[[[[[1]]]]]]]])
def test_metadata_that_clients_cannot_read_is_a_problem(wrong: object) -> None:
    assert problem_of({"k": "plain", "n": 1}) is None
    found = problem_of({"k": wrong})
    assert found is not None
    assert found.path == "metadata"


async def test_administrators_look_into_a_session(bed: Bed) -> None:
    bed.tokens["token-of-admin"], bed.roles["token-of-admin"] = "admins", {"admin"}
    await peer(bed, "doctor", "--only", "vm-1")
    await bed.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=TaskState.RUNNING))
    await bed.store.tasks.put(NodeTask(campaign="c1", node="cn-2", state=TaskState.DONE))
    await ask(bed, interim=("vm-2",))
    await bed.until_verdict("core", "partial")
    async with client(bed, "token-of-admin") as http:
        shown = (await http.get(f"/maintenance/{SESSION}/detail")).json()
        assert (await http.get("/maintenance/none/detail")).status_code == 404
    assert (shown["session_id"], shown["state"], shown["percent_done"], shown["metadata"]) == (SESSION, "MAINTENANCE", 50, {})
    hosts = [(host["hostname"], host["maintained"], host["disabled"]) for host in shown["hosts"]]
    assert hosts == [("cn-1", False, True), ("cn-2", True, False)]
    instances = [(i["instance_id"], i["host"], i["project_state"], i["action_done"]) for i in shown["instances"]]
    assert instances == [("vm-1", "cn-1", "PLANNED_MAINTENANCE", False), ("vm-2", "cn-1", "PREPARE_MAINTENANCE", False)]
    for token, status in ((TOKEN, 403), (None, 401)):
        async with client(bed, token) as http:
            assert (await http.get(f"/maintenance/{SESSION}/detail")).status_code == status


async def test_a_session_and_its_instances_can_be_read(bed: Bed) -> None:
    async with client(bed) as http:
        assert (await http.get(f"/maintenance/{SESSION}")).json() == {"session_id": SESSION, "state": "MAINTENANCE"}
        assert (await http.get(f"/maintenance/{SESSION}/p1")).json() == {"instance_ids": ["vm-1"]}
        await peer(bed, "doctor", "--silent")
        await ask(bed)
        await bed.until_state("core", "delivered")
        assert (await http.get(f"/maintenance/{SESSION}/p1")).json() == {"instance_ids": ["vm-1", "vm-2"]}
        assert (await http.get("/maintenance/none")).status_code == 404


@pytest.mark.parametrize("words", [{"vm-1": "MIGRATE", "vm-2": "LIVE_MIGRATE"}, {}])
async def test_a_project_may_answer_for_all_its_instances_at_once(bed: Bed, words: dict[str, str]) -> None:
    await peer(bed, "doctor", "--silent")
    await ask(bed)
    await bed.until_state("core", "delivered")
    async with client(bed) as http:
        body = {"state": "ACK_PLANNED_MAINTENANCE", "instance_actions": words, "instance_ids": ["vm-1"]}
        for _ in range(2):
            assert (await http.put(f"/maintenance/{SESSION}/p1", json=body)).status_code == 200
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.result, dict(answer.dispositions)) == ("ACK", words)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 422),
        (b"ACK", 422),
        (b'{"state": "YES"}', 422),
        (b'{"state": "ACK_PLANNED_MAINTENANCE", "instance_action": "STOP"}', 422),
        (b'{"state": "ACK_PLANNED_MAINTENANCE"' + b" " * 1024 * 1024 + b"}", 413),
    ],
)
async def test_a_reply_that_is_none_is_refused_with_its_problems(bed: Bed, body: bytes, status: int) -> None:
    process = await peer(bed, "doctor", "--silent")
    await ask(bed)
    await bed.until(lambda: len(process.lines("event")) == 2)
    async with httpx.AsyncClient(headers={"X-Auth-Token": TOKEN}, trust_env=False) as http:
        assert (await http.put(process.lines("event")[0]["traits"]["reply_url"], content=body)).status_code == status
    assert bed.woken == []


async def test_only_a_token_of_the_project_lets_in(bed: Bed) -> None:
    process = await peer(bed, "tacker", "--silent")
    await ask(bed)
    await bed.until(lambda: len(process.lines("event")) == 2)
    url = process.lines("event")[0]["traits"]["reply_url"]
    body = {"state": "ACK_PLANNED_MAINTENANCE", "instance_action": "MIGRATE"}
    calls = [("PUT", url), ("GET", f"maintenance/{SESSION}/p1"), ("PUT", f"maintenance/{SESSION}/p1")]
    for token, status in ((None, 401), ("", 401), ("wrong", 401), ("token-of-p2", 403)):
        async with client(bed, token) as http:
            for method, path in calls:
                response = await http.request(method, path, json=body if method == "PUT" else None)
                assert response.status_code == status, (token, path)
            assert (await http.get(f"/maintenance/{SESSION}")).status_code == (200 if status == 403 else 401)
            assert (await http.put("/instance/vm-1", json={"project_id": "p1"})).status_code == status
            assert (await http.delete("/instance/vm-1")).status_code == (200 if status == 403 else 401)
    async with client(bed) as http:
        assert (await http.put(url.replace("vm-1", "vm-3"), json=body)).status_code == 404
        assert (await http.put(url[:-3] + "abc", json=body)).status_code == 404
    assert bed.woken == []


async def test_what_is_declared_counts_for_the_project_alone(bed: Bed) -> None:
    instance = {
        "instance_id": "vm-1",
        "project_id": "p1",
        "group_id": "g1",
        "instance_name": "one",
        "max_interruption_time": 120,
        "migration_type": "MIGRATE",
        "resource_mitigation": True,
        "lead_time": 40,
    }
    group = {
        "group_id": "g1",
        "project_id": "p1",
        "group_name": "tacker_nonha_app_group_1",
        "anti_affinity_group": False,
        "max_instances_per_host": 0,
        "max_impacted_members": 2,
        "recovery_time": 60,
        "resource_mitigation": True,
    }
    async with client(bed) as http:
        assert (await http.put("/instance/vm-1", json=instance)).status_code == 200
        assert (await http.put("/instance_group/g1", json=group)).status_code == 200
        wrong = await http.put("/instance/vm-1", json={**instance, "migration_type": "MOVE"})
        assert (wrong.status_code, wrong.json()["problems"][0]["path"]) == (422, "migration_type")
        assert (await http.put("/instance/vm-1", json=instance)).status_code == 200
        assert (await http.put("/instance/vm-2", json=instance)).status_code == 403
        assert (await http.put("/instance/vm-9", json=instance)).status_code == 404
    set_ = [e.object_id for e in await bed.store.events.read(0) if e.action == "constraint.set"]
    assert set_ == ["instance vm-1", "group g1@p1"]
    found = {c.id: c.spec for c in await bed.store.constraints.list()}
    assert found["vm-1"].model_dump(exclude_defaults=True) == {
        "impact_notification_lead_time": 40.0,
        "is_impact_mitigation_requested": True,
        "supported_migration_type": ("live_migration", "offline_migration"),
        "max_undetectable_interruption_time": 120.0,
        "member_of": ("g1",),
        "declared_by": "p1",
    }
    assert (found["g1@p1"].max_impacted(5), found["g1@p1"].min_recovery_time_between_impacts) == (2, 60.0)
    async with client(bed, "token-of-p2") as other:
        taken = await other.put("/instance/vm-1", json={**instance, "project_id": "p2"})
        assert (taken.status_code, taken.json()["code"]) == (403, "ESC-VIM-011")
        assert (await other.delete("/instance_group/g1")).status_code == 200
        of_others = {**group, "project_id": "p2", "max_impacted_members": 7}
        assert (await other.put("/instance_group/g1", json=of_others)).status_code == 200
        assert (await other.put("/instance_group/g1", json=group)).status_code == 403
        both = {c.id: c.spec.max_impacted(9) for c in await bed.store.constraints.list() if c.kind == "group"}
        assert both == {"g1@p1": 2, "g1@p2": 7}
        assert (await other.delete("/instance_group/g1")).status_code == 200
    await bed.store.constraints.put(Constraint(kind="group", id="g2", spec=MaintenanceInfo()))
    async with client(bed) as http:
        refused = await http.put("/instance_group/g2", json={**group, "group_id": "g2"})
        assert (refused.status_code, refused.json()["code"]) == (403, "ESC-VIM-011")
        await bed.store.constraints.remove("group", "g2")
        assert [c.id for c in await bed.store.constraints.list()] == ["g1@p1", "vm-1"]
        for path in ("/instance/vm-1", "/instance/vm-1", "/instance_group/g1"):
            assert (await http.delete(path)).status_code == 200
    assert await bed.store.constraints.list() == []


async def test_a_registration_names_the_projects_that_are_told(bed: Bed) -> None:
    spec = VnfmSpec(dialect="fenix", vnfs=("v",))
    with pytest.raises(InputError) as refused:
        await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    assert [problem.path for problem in refused.value.problems] == ["spec.projects", "spec.callback_uri"]


async def test_a_project_s_token_answers_no_notice_of_another_dialect(bed: Bed) -> None:
    """A project may have VNF managers of both kinds; who holds a token of it speaks for those made for Fenix alone."""
    process = bed.stack.enter_context(vnfm_process(bed.folder / "native.jsonl", "--behaviour", "silent"))
    spec = VnfmSpec(callback_uri=process.callback_uri, projects=("p1",))
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    await ask(bed)
    await bed.until_state("core", "delivered")
    async with client(bed) as http:
        body = {"state": "ACK_PLANNED_MAINTENANCE", "instance_actions": {"vm-1": "OWN_ACTION", "vm-2": "OWN_ACTION"}}
        assert (await http.put(f"/maintenance/{SESSION}/p1", json=body)).status_code == 200
        assert (await http.put(f"/maintenance/{SESSION}/p1", json={"state": "NACK_PLANNED_MAINTENANCE"})).status_code == 200
        token = (await bed.notice("core")).reply_token
        one = {"state": "ACK_PLANNED_MAINTENANCE", "instance_action": "OWN_ACTION"}
        assert (await http.put(f"/maintenance/{SESSION}/p1/vm-1/{token}", json=one)).status_code == 404
        assert (await http.get(f"/maintenance/{SESSION}/p1")).json() == {"instance_ids": ["vm-1"]}
    assert (await bed.answer("core")).state == "open"
    assert bed.woken == []


async def test_an_instance_s_address_is_that_of_its_own_project(bed: Bed) -> None:
    process = await peer(bed, "doctor", "--silent")
    await ask(bed)
    await bed.until(lambda: len(process.lines("event")) == 2)
    url = process.lines("event")[0]["traits"]["reply_url"].replace("/p1/", "/p2/")
    body = {"state": "ACK_PLANNED_MAINTENANCE", "instance_action": "MIGRATE"}
    async with client(bed, "token-of-p2") as http:
        assert (await http.put(url, json=body)).status_code == 404


async def test_a_part_of_an_answer_that_is_late_is_refused_and_not_kept(bed: Bed) -> None:
    process = await peer(bed, "doctor", "--silent")
    await ask(bed)
    await bed.until(lambda: len(process.lines("event")) == 2)
    await bed.until_state("core", "delivered")
    await bed.clock.advance(REPLY_TIMEOUT_S)
    async with client(bed) as http:
        for event in process.lines("event"):
            body = {"state": "ACK_PLANNED_MAINTENANCE", "instance_action": "MIGRATE"}
            late = await http.put(event["traits"]["reply_url"], json=body)
            assert (late.status_code, late.json()["code"]) == (409, "ESC-VIM-006")
    assert (await bed.answer("core")).state == "silent"


async def test_a_project_declares_a_bounded_number_of_groups(bed: Bed) -> None:
    async with client(bed) as http:
        for number in range(MAX_GROUPS):
            await bed.store.constraints.put(group_constraint(f"g{number}", b'{"project_id": "p1"}'))
        refused = await http.put("/instance_group/one-more", json={"project_id": "p1"})
        assert (refused.status_code, refused.json()["code"]) == (422, "ESC-API-001")
        assert (await http.put("/instance_group/g1", json={"project_id": "p1", "recovery_time": 60})).status_code == 200
    async with client(bed, "token-of-p2") as other:
        assert (await other.put("/instance_group/of-p2", json={"project_id": "p2"})).status_code == 200


async def test_what_projects_ask_about_their_instances_costs_the_cloud_one_look(bed: Bed) -> None:
    async with client(bed) as http, client(bed, "token-of-p2") as other:
        for _ in range(3):
            assert (await http.get(f"/maintenance/{SESSION}/p1")).json() == {"instance_ids": ["vm-1"]}
            assert (await other.get(f"/maintenance/{SESSION}/p2")).json() == {"instance_ids": ["vm-2"]}
        assert bed.looks == 1
        await bed.clock.advance(AGE_S + 1)
        await http.get(f"/maintenance/{SESSION}/p1")
        assert bed.looks == 2
