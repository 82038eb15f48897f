"""Tacker's fault notification (v2 API): processes over HTTP that know nothing of Escalator but a Server Notifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from beds.vnfm.bed import ALARMS, REPLY_TIMEOUT_S, TASK, Bed, opened_bed
from beds.vnfm.clocks import quiet
from beds.vnfm.processes import TACKER_PEER, VnfmProcess, vnfm_process
from escalator.model.errors import InputError
from escalator.model.inventory import Instance
from escalator.model.notice import NoticeType, Vnfm, VnfmSpec
from escalator.model.progress import NodeTask, TaskState
from escalator.storage.port import CampaignRow
from escalator.vim_interface.port import Ask
from escalator.vim_interface.tacker.face import MAX_PER_SERVER

TOKEN = "token-of-p1"
KEY = "0123456789abcdef-KEY"
PAIR = tuple(Instance(id=f"vm-{n}", project="p1", node="cn-1") for n in (1, 2))
FOREIGN = Instance(id="vm-9", project="p2", node="cn-1")
OWN = {"vm-1": "OWN_ACTION", "vm-2": "OWN_ACTION"}


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("tacker", tmp_path) as opened:
        opened.tokens |= {TOKEN: "p1", "token-of-p2": "p2"}
        opened.cloud = (*PAIR, FOREIGN)
        await opened.store.campaigns.add(CampaignRow(name="c1", document={}))
        await opened.store.tasks.put(NodeTask(campaign="c1", node="cn-1", state=TaskState.RUNNING))
        yield opened


async def peer(bed: Bed, *more: str, registers: tuple[str, ...] = ("vm-1", "vm-2"), key: str | None = None) -> VnfmProcess:
    """Tacker, which has VMs of project p1; with a key in place of a token when one is given."""
    notifier = f"{bed.base_url}/tacker" + (f"/{key}" if key else "")
    arguments = ["--notifier", notifier, *(() if key else ("--token", TOKEN)), "--tenant", "p1", *more]
    process = bed.stack.enter_context(vnfm_process(bed.folder / "core.jsonl", *arguments, program=TACKER_PEER))
    bed.processes["core"] = process
    spec = VnfmSpec(dialect="tacker", callback_uri=f"http://127.0.0.1:{process.port}/", projects=("p1",))
    if key:
        file = bed.folder / "core-key"
        file.touch(0o600)
        file.write_text(KEY)
        spec = spec.model_copy(update={"key": "core-key"})
    await bed.vim.registry.add(Vnfm(name="core", spec=spec))
    await control(bed, process, register=registers)
    return process


async def control(bed: Bed, process: VnfmProcess, **what: object) -> None:
    """The peer calls Escalator meanwhile, which runs on this loop."""
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(f"http://127.0.0.1:{process.port}/control", json=what)).status_code == 204


async def ask(bed: Bed, *instances: Instance, task: str = TASK) -> None:
    now = bed.clock.now()
    what = {"task": task, "campaign": "c1", "node": "cn-1", "instances": instances or PAIR}
    times = {"reply_by": now + REPLY_TIMEOUT_S, "action_at": now + REPLY_TIMEOUT_S + 1}
    await bed.vim.ask(Ask(**what, planned={i.id: "live" for i in PAIR}, **times))  # type: ignore[arg-type]


async def healed(bed: Bed, process: VnfmProcess) -> None:
    """Wait until Tacker has deleted both VMs, and time has passed for somebody to see it."""
    await bed.until(lambda: len(process.lines("deleted")) == 2)
    seen_at = bed.clock.now()
    await bed.until_woken(passing=True)
    assert bed.clock.now() - seen_at < REPLY_TIMEOUT_S / 3


def client(bed: Bed, token: str | None = TOKEN) -> httpx.AsyncClient:
    headers = {} if token is None else {"X-Auth-Token": token}
    return httpx.AsyncClient(base_url=f"{bed.base_url}/tacker/v2", headers=headers, trust_env=False)


def wanted(process: VnfmProcess, **changes: Any) -> dict[str, Any]:
    return {"fault_action": f"http://127.0.0.1:{process.port}/x/notify", "fault_id": ["1111"], **changes}


async def test_each_vm_is_notified_and_its_healing_is_the_answer(bed: Bed) -> None:
    process = await peer(bed)
    await ask(bed)
    await healed(bed, process)
    answer = await bed.answer("core")
    assert (answer.state, answer.result, dict(answer.dispositions)) == ("answered", "ACK", OWN)
    alarms = {line["server"]: line["answer"]["alarm_id"] for line in process.lines("registered")}
    said = {line["server"]: line["said"] for line in process.lines("notified")}
    rest = {"host_id": "cn-1", "fault_id": "1111", "fault_type": "11", "fault_option": {}}
    assert said == {server: {**rest, "alarm_id": alarms[server]} for server in OWN}
    await bed.until(lambda: len(process.lines("registered")) == 4)
    assert {line["status"] for line in process.lines("registered")} == {201}
    assert {line["status"] for line in process.lines("deregistered")} == {204}
    assert [line["server"] for line in process.lines("notified")] == ["vm-1", "vm-2"]


async def test_what_is_registered_is_echoed_with_its_id(bed: Bed) -> None:
    process = await peer(bed, registers=())
    async with client(bed) as http:
        made = await http.post("/p1/servers/vm-1/alarms", json={**wanted(process), "recovery_action": "http://x/"})
        assert (made.status_code, {**made.json(), "alarm_id": ""}) == (201, {**wanted(process), "alarm_id": ""})
        by_name = await http.post("/name-of-p1/servers/vm-1/alarms", json=wanted(process, fault_id=["1111", "2222"]))
        assert (by_name.status_code, by_name.json()["fault_id"]) == (201, ["1111", "2222"])
        assert made.json()["alarm_id"] == by_name.json()["alarm_id"]
    assert len(await bed.store.alarms.of_servers(["vm-1"])) == 1


async def test_the_answer_waits_for_the_vms_to_leave_their_node(bed: Bed) -> None:
    process = await peer(bed, "--hold")
    await ask(bed)
    await bed.until(lambda: len(process.lines("deregistered")) == 2)
    await bed.clock.advance(60)
    assert bed.woken == []
    process.control(release=True)
    await healed(bed, process)
    assert dict((await bed.answer("core")).dispositions) == OWN


@pytest.mark.parametrize("blind", ["", "refuses", "hangs"])
async def test_vms_that_take_longer_than_the_time_to_reply_are_in_tackers_hands(bed: Bed, blind: str) -> None:
    process = await peer(bed, "--hold")
    bed.blind = blind
    await ask(bed)
    await bed.until(lambda: len(process.lines("deregistered")) == 2)
    await bed.until_state("core", "delivered")
    await bed.clock.advance(REPLY_TIMEOUT_S - 10)
    assert bed.woken == []
    await bed.clock.advance(9)
    await bed.until_woken()
    assert ((await bed.answer("core")).result, dict((await bed.answer("core")).dispositions)) == ("ACK", OWN)


async def test_a_healing_that_fails_is_no_answer(bed: Bed) -> None:
    process = await peer(bed, "--hold", "--again")
    await ask(bed)
    await bed.until(lambda: len(process.lines("deregistered")) == 2)
    process.control(release=True)
    await bed.until(lambda: len(process.lines("registered")) == 4)
    await bed.clock.advance(REPLY_TIMEOUT_S)
    await bed.until_woken()
    assert (await bed.answer("core")).state == "silent"


async def test_who_heals_nothing_is_silent(bed: Bed) -> None:
    process = await peer(bed, "--never-heal")
    await ask(bed)
    await bed.until_state("core", "delivered")
    await control(bed, process, deregister=["vm-1"])
    await bed.clock.advance(REPLY_TIMEOUT_S)
    await bed.until_woken()
    assert (await bed.answer("core")).state == "silent"
    await control(bed, process, deregister=["vm-2"])
    assert process.lines("deregistered")[-1]["status"] == 204
    await bed.clock.advance(60)
    assert (await bed.answer("core")).state == "silent"


async def test_who_is_asked_again_is_told_again_but_for_what_it_has_begun(bed: Bed) -> None:
    process = await peer(bed, "--never-heal")
    await ask(bed)
    await bed.until_state("core", "delivered")
    await control(bed, process, deregister=["vm-1"])
    await bed.clock.advance(REPLY_TIMEOUT_S)
    await bed.until_woken()
    await ask(bed, task=f"{TASK}~2")
    await bed.until(lambda: len(process.lines("notified")) == 3)
    assert [line["server"] for line in process.lines("notified")] == ["vm-1", "vm-2", "vm-2"]
    await control(bed, process, deregister=["vm-2"])
    await bed.clock.advance(REPLY_TIMEOUT_S - 1)
    await bed.until_woken(2)
    assert dict((await bed.answer("core", f"{TASK}~2")).dispositions) == OWN


async def test_in_another_turn_an_old_answer_counts_for_nothing(bed: Bed) -> None:
    process = await peer(bed, "--never-heal")
    await ask(bed)
    await bed.until_state("core", "delivered")
    await control(bed, process, deregister=["vm-1"])
    await ask(bed, PAIR[0], task="c1/cn-1/2")
    await bed.until(lambda: any(task == "c1/cn-1/2" for task, *_ in bed.woken), passing=True)
    answer = await bed.answer("core", "c1/cn-1/2")
    assert (answer.state, "ESC-VIM-014" in answer.error) == ("undeliverable", True)


async def test_without_an_alarm_for_every_vm_none_is_healed_and_that_is_no_silence(bed: Bed) -> None:
    process = await peer(bed, registers=("vm-1",))
    await ask(bed)
    await bed.until_woken(passing=True)
    answer = await bed.answer("core")
    assert (answer.state, "ESC-VIM-014" in answer.error, "vm-2" in answer.error) == ("undeliverable", True, True)
    assert process.lines("notified") == []


async def test_a_vm_that_was_made_a_moment_ago_has_its_alarm_soon(bed: Bed) -> None:
    process = await peer(bed, registers=("vm-1",))
    await ask(bed)
    await bed.until_failed_once("core")
    await control(bed, process, register=["vm-2"])
    await bed.clock.advance(10)
    await healed(bed, process)
    assert (await bed.answer("core")).result == "ACK"


async def test_a_notification_that_is_not_taken_is_repeated_for_that_vm_alone(bed: Bed) -> None:
    process = await peer(bed, "--pack", "0.5")
    await control(bed, process, refuse={"vm-2": 500})
    await ask(bed)
    await bed.until_failed_once("core")
    await control(bed, process, refuse={})
    await bed.clock.advance(10)
    await healed(bed, process)
    assert (await bed.answer("core")).result == "ACK"
    notified = [(line["server"], line["status"]) for line in process.lines("notified")]
    assert notified == [("vm-1", 204), ("vm-2", 500), ("vm-2", 204)]


async def test_who_refuses_for_good_was_not_reached(bed: Bed) -> None:
    process = await peer(bed)
    await control(bed, process, refuse={"vm-1": 400, "vm-2": 400})
    await ask(bed)
    await bed.until_woken()
    answer = await bed.answer("core")
    assert (answer.state, "ESC-VIM-005" in answer.error) == ("undeliverable", True)
    assert len(process.lines("notified")) == 1


async def test_alarms_outlive_a_restart(bed: Bed) -> None:
    process = await peer(bed)
    await bed.restart()
    await ask(bed)
    await healed(bed, process)
    assert (await bed.answer("core")).result == "ACK"
    assert len(process.lines("notified")) == 2


async def test_what_was_taken_back_while_nobody_was_there_is_the_answer(bed: Bed) -> None:
    process = await peer(bed, "--hold")
    await ask(bed)
    await bed.until(lambda: len(process.lines("deregistered")) == 2)
    await bed.stop()
    process.control(release=True)
    await bed.restart()
    await healed(bed, process)
    assert (await bed.answer("core")).result == "ACK"
    assert len(process.lines("notified")) == 2


async def test_what_tacker_has_no_word_for_is_not_sent(bed: Bed) -> None:
    process = await peer(bed, "--never-heal")
    await ask(bed)
    await bed.until_state("core", "delivered")
    await bed.vim.tell(NoticeType.MAINTENANCE_PLANNED, "c1", key="a")
    await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=("core",), key="b", task=TASK)
    await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="c")
    await bed.vim.cancel(TASK)
    states: dict[str, int] = {}
    for _ in range(200):
        await quiet()
        states = Counter(n.state.value for n in await bed.store.notices.list())
        if states == {"delivered": 4, "cancelled": 1}:
            break
    assert states == {"delivered": 4, "cancelled": 1}
    assert len(process.lines("notified")) == 2


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/x/notify",
        "http://127.0.0.1:{port}0/x/notify",
        "http://127.0.0.1:{port}@example.net/x",
        "http://127.0.0.1:{port}.example.net/x",
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.1:{port}/x/notify",
        "http://127.0.0.1:{port}/../x",
        "http://127.0.0.1:{port}/%2e%2e/x",
        "http://127.0.0.1:{port}/x?y=z",
        "http://127.0.0.1:{port}/x#y",
        "http://127.0.0.1:{port}",
        "http://127.0.0.1:{port}/x\\y",
        "file:///etc/passwd",
    ],
)
async def test_an_address_that_is_not_the_registered_ones_is_refused(bed: Bed, address: str) -> None:
    process = await peer(bed, registers=())
    async with client(bed) as http:
        body = wanted(process, fault_action=address.format(port=process.port))
        refused = await http.post("/p1/servers/vm-1/alarms", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "ESC-VIM-013")
    assert refused.json()["problems"][0]["path"] == "fault_action"
    assert await bed.store.alarms.of_servers(["vm-1"]) == []


async def test_a_foreign_address_is_nowhere_notified(bed: Bed) -> None:
    process = await peer(bed, "--action", "http://127.0.0.1:9")
    assert {line["status"] for line in process.lines("registered")} == {422}
    await ask(bed)
    await bed.until_woken(passing=True)
    assert (await bed.answer("core")).state == "undeliverable"


@pytest.mark.parametrize(("words", "state"), [(("1111", "2222"), "answered"), (("1111",), "undeliverable")])
async def test_the_word_of_the_settings_is_said_where_the_alarm_has_it(bed: Bed, words: tuple[str, ...], state: str) -> None:
    bed.fault_id = "2222"
    await bed.restart()
    process = await peer(bed, *(part for word in words for part in ("--fault-id", word)))
    await ask(bed)
    if state == "answered":
        await healed(bed, process)
    else:
        await bed.until_woken(passing=True)
    assert (await bed.answer("core")).state == state
    assert {line["said"]["fault_id"] for line in process.lines("notified")} == ({"2222"} if state == "answered" else set())


async def test_an_alarm_at_an_address_that_is_registered_no_more_is_none(bed: Bed) -> None:
    process = await peer(bed)
    spec = VnfmSpec(dialect="tacker", callback_uri="http://127.0.0.1:1", projects=("p1",))
    await bed.vim.registry.replace(Vnfm(name="core", spec=spec))
    await ask(bed)
    await bed.until_woken(passing=True)
    assert (await bed.answer("core")).state == "undeliverable"
    assert process.lines("notified") == []


async def test_only_a_token_of_the_project_lets_in(bed: Bed) -> None:
    process = await peer(bed)
    (alarm,) = await bed.store.alarms.of_servers(["vm-1"])
    for token, status in ((None, 401), ("", 401), ("wrong", 401), ("token-of-p2", 403)):
        async with client(bed, token) as http:
            assert (await http.post("/p1/servers/vm-1/alarms", json=wanted(process))).status_code == status
            assert (await http.delete(f"/p1/servers/vm-1/alarms/{alarm.id}")).status_code == status
    async with client(bed, "token-of-p2") as http:
        # Its own project, but neither that VM nor that alarm is its own, and nobody is registered for it.
        foreign = await http.post("/p2/servers/vm-1/alarms", json=wanted(process))
        assert (foreign.status_code, foreign.json()["code"]) == (403, "ESC-VIM-011")
        assert (await http.post("/p2/servers/vm-9/alarms", json=wanted(process))).status_code == 403
        assert (await http.delete(f"/p2/servers/vm-1/alarms/{alarm.id}")).status_code == 204
    async with client(bed) as http:
        assert (await http.post("/p1/servers/vm-9/alarms", json=wanted(process))).status_code == 403
        assert (await http.delete(f"/p1/servers/vm-2/alarms/{alarm.id}")).status_code == 204
    assert await bed.store.alarms.of_servers(["vm-1"]) == [alarm]
    spelled = {"Authorization": f"Bearer {TOKEN}"}
    async with client(bed, None) as http:
        assert (await http.post("/p1/servers/vm-1/alarms", json=wanted(process), headers=spelled)).status_code == 201


async def test_an_alarm_of_another_project_is_nobodys_word_about_a_vm(bed: Bed) -> None:
    process = await peer(bed, registers=("vm-1",))
    bed.cloud = PAIR[:1]
    spec = VnfmSpec(dialect="tacker", callback_uri=f"http://127.0.0.1:{process.port}", projects=("p2",))
    await bed.vim.registry.add(Vnfm(name="other", spec=spec))
    async with client(bed, "token-of-p2") as http:
        assert (await http.post("/p2/servers/vm-2/alarms", json=wanted(process))).status_code == 201
    await ask(bed)
    await bed.until_woken(passing=True)
    assert "vm-2" in (await bed.answer("core")).error
    assert process.lines("notified") == []


async def test_tacker_as_it_comes_has_no_token_but_a_key_in_its_address(bed: Bed) -> None:
    process = await peer(bed, key=KEY)
    assert {line["status"] for line in process.lines("registered")} == {201}
    await ask(bed)
    await healed(bed, process)
    assert (await bed.answer("core")).result == "ACK"
    assert KEY not in process.log.read_text()


async def test_a_key_speaks_for_the_projects_of_its_vnf_manager(bed: Bed) -> None:
    process = await peer(bed, key=KEY)
    async with httpx.AsyncClient(base_url=f"{bed.base_url}/tacker", trust_env=False) as http:
        wrong = await http.post("/wrong-wrong-wrong-wrong/v2/p1/servers/vm-1/alarms", json=wanted(process))
        assert (wrong.status_code, wrong.json()["code"]) == (401, "ESC-API-002")
        assert (await http.post(f"/{KEY}/v2/p1/servers/vm-9/alarms", json=wanted(process))).status_code == 403
        by_name = await http.post(f"/{KEY}/v2/some-name/servers/vm-1/alarms", json=wanted(process))
        assert by_name.status_code == 201
        (bed.folder / "core-key").unlink()
        assert (await http.delete(f"/{KEY}/v2/p1/servers/vm-1/alarms/{by_name.json()['alarm_id']}")).status_code == 401


async def test_taking_back_twice_is_taking_back(bed: Bed) -> None:
    await peer(bed)
    (alarm,) = await bed.store.alarms.of_servers(["vm-1"])
    async with client(bed) as http:
        for _ in range(2):
            gone = await http.delete(f"/p1/servers/vm-1/alarms/{alarm.id}")
            assert (gone.status_code, gone.content) == (204, b"")
    assert await bed.store.alarms.of_servers(["vm-1"]) == []


async def test_an_alarm_that_is_registered_again_after_it_was_told_stays_told(bed: Bed) -> None:
    process = await peer(bed, "--never-heal")
    await ask(bed)
    await bed.until_state("core", "delivered")
    await control(bed, process, register=["vm-1"])
    await control(bed, process, deregister=["vm-1", "vm-2"])
    await bed.clock.advance(REPLY_TIMEOUT_S - 1)
    await bed.until_woken()
    assert (await bed.answer("core")).result == "ACK"


async def test_a_vm_with_several_alarms_is_told_at_the_newest(bed: Bed) -> None:
    process = await peer(bed, "--never-heal")
    await bed.clock.advance(1)
    async with client(bed) as http:
        made = await http.post("/p1/servers/vm-1/alarms", json=wanted(process))
    await ask(bed)
    await bed.until(lambda: process.lines("notified") != [])
    assert process.lines("notified")[0]["said"]["alarm_id"] == made.json()["alarm_id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"fault_action": "http://127.0.0.1:PORT/x"}', 422),
        (b'{"fault_action": "http://127.0.0.1:PORT/x", "fault_id": []}', 422),
        (b'{"fault_action": "http://127.0.0.1:PORT/x", "fault_id": ["111"]}', 422),
        (b'{"fault_action": "http://127.0.0.1:PORT/x", "fault_id": ["11111"]}', 422),
        (b'{"fault_action": "http://127.0.0.1:PORT/x", "fault_id": "1111"}', 422),
        (b'{"fault_action": "http://127.0.0.1:PORT/x", "fault_id": [' + b'"1111",' * 32 + b'"2222"]}', 422),
        (b'{"fault_action": "http://127.0.0.1:PORT/x", "fault_id": ["1111"]' + b" " * 16 * 1024 + b"}", 413),
        (b'{"fault_action": "http://127.0.0.1:PORT/x", "fault_id": ["1111"]}', 201),
    ],
)
async def test_a_registration_that_is_none_is_refused_with_its_problems(bed: Bed, body: bytes, status: int) -> None:
    process = await peer(bed, registers=())
    async with client(bed) as http:
        made = await http.post("/p1/servers/vm-1/alarms", content=body.replace(b"PORT", str(process.port).encode()))
    assert made.status_code == status
    assert len(await bed.store.alarms.of_servers(["vm-1"])) == (status == 201)


async def test_nobody_fills_storage_with_alarms(bed: Bed) -> None:
    process = await peer(bed, registers=())
    assert ALARMS == MAX_PER_SERVER + 1
    async with client(bed) as http:
        for number in range(MAX_PER_SERVER):
            body = wanted(process, fault_action=f"http://127.0.0.1:{process.port}/{number}")
            assert (await http.post("/p1/servers/vm-1/alarms", json=body)).status_code == 201
        assert (await http.post("/p1/servers/vm-1/alarms", json=body)).status_code == 201
        full = await http.post("/p1/servers/vm-1/alarms", json=wanted(process))
        assert (full.status_code, full.json()["code"]) == (409, "ESC-VIM-013")
        assert (await http.post("/p1/servers/vm-2/alarms", json=wanted(process))).status_code == 201
        assert (await http.post("/p1/servers/vm-3/alarms", json=wanted(process))).status_code == 409


async def test_an_address_that_takes_notifications_only_passes_the_test(bed: Bed) -> None:
    await peer(bed)
    (vnfm,) = await bed.store.vnfms.list()
    assert (await bed.vim.test(vnfm)).ok
    closed = vnfm.model_copy(update={"spec": vnfm.spec.model_copy(update={"callback_uri": "http://127.0.0.1:9/"})})
    assert not (await bed.vim.test(closed)).ok


async def test_a_registration_has_projects_an_address_and_a_key_that_is_none_to_guess(bed: Bed) -> None:
    (bed.folder / "short").touch(0o600)
    (bed.folder / "short").write_text("abc")
    for spec, paths in (
        (VnfmSpec(dialect="tacker", vnfs=("v",)), ["spec.projects", "spec.callback_uri"]),
        (VnfmSpec(dialect="tacker", callback_uri="http://t", projects=("p",), key="short"), ["spec.key"]),
        (VnfmSpec(dialect="tacker", callback_uri="http://t", projects=("p",), key="missing"), ["spec.key"]),
        (VnfmSpec(callback_uri="http://t", projects=("p",), key="short"), ["spec.key"]),
        (VnfmSpec(dialect="tacker", callback_uri="http://t/?x", projects=("p",)), ["spec.callback_uri"]),
    ):
        with pytest.raises(InputError) as refused:
            await bed.vim.registry.add(Vnfm(name="core", spec=spec))
        assert [problem.path for problem in refused.value.problems] == paths
