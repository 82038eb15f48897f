"""What published clients of OpenStack Fenix differ in: the workflow that they are made for, and how long they take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from beds.vnfm.bed import REPLY_TIMEOUT_S, TASK, Bed, opened_bed
from beds.vnfm.processes import FENIX_PEER, VnfmProcess, vnfm_process
from escalator.model.constraint import Constraint
from escalator.model.errors import InputError
from escalator.model.inventory import Instance
from escalator.model.notice import NoticeState, NoticeType, Vnfm, VnfmSpec
from escalator.storage.port import CampaignRow
from escalator.vim_interface.port import Ask

TOKEN, OTHER = "token-of-p1", "token-of-p2"
MINE = tuple(Instance(id=f"vm-{n}", project="p1", node="cn-1") for n in (1, 2))
THEIRS = Instance(id="vm-3", project="p2", node="cn-1")


@asynccontextmanager
async def fenix_bed(folder: Path, timeout_s: float = 5.0) -> AsyncIterator[Bed]:
    async with opened_bed("fenix", folder, timeout_s=timeout_s) as bed:
        bed.tokens |= {TOKEN: "p1", OTHER: "p2"}
        await bed.store.campaigns.add(CampaignRow(name="c1", document={}))
        yield bed


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with fenix_bed(tmp_path) as opened:
        yield opened


async def peer(bed: Bed, *more: str, workflow: str = "default") -> VnfmProcess:
    """A client like Doctor's sample, of two projects, which has the token of the first."""
    arguments = ("--like", "doctor", "--token", TOKEN, "--project", "p1", *more)
    process = bed.stack.enter_context(vnfm_process(bed.folder / "core.jsonl", *arguments, program=FENIX_PEER))
    spec = {"dialect": "fenix", "callback_uri": process.callback_uri, "projects": ("p1", "p2"), "workflow": workflow}
    await bed.vim.registry.add(Vnfm(name="core", spec=VnfmSpec.model_validate(spec)))
    return process


async def ask(bed: Bed, *instances: Instance, interim: tuple[str, ...] = ()) -> None:
    now = bed.clock.now()
    what = {"task": TASK, "campaign": "c1", "node": "cn-1", "instances": instances, "interim": interim}
    times = {"reply_by": now + REPLY_TIMEOUT_S, "action_at": now + REPLY_TIMEOUT_S + 1}
    await bed.vim.ask(Ask(**what, planned={i.id: "live" for i in instances}, **times))  # type: ignore[arg-type]


async def test_one_for_the_workflow_default_reads_which_instances_a_node_has_and_answers_once(bed: Bed) -> None:
    process = await peer(bed)
    await ask(bed, *MINE)
    await bed.until_woken()
    (event,) = process.lines("event")
    assert (event["state"], event["traits"]["instance_ids"]) == ("PLANNED_MAINTENANCE", event["traits"]["reply_url"])
    (read,) = process.lines("read")
    assert (read["status"], sorted(read["ids"])) == (200, ["vm-1", "vm-2"])
    await bed.until(lambda: bool(process.lines("replied")))
    assert process.lines("replied")[0]["status"] == 200
    answer = await bed.answer("core")
    assert (answer.result, dict(answer.dispositions)) == ("ACK", {"vm-1": "MIGRATE", "vm-2": "MIGRATE"})


async def test_it_is_asked_for_each_of_its_projects_and_reads_that_projects_alone(bed: Bed) -> None:
    process = await peer(bed, "--silent")
    await ask(bed, *MINE, THEIRS)
    await bed.until(lambda: len(process.lines("event")) == 2)
    urls = {event["traits"]["project_id"]: event["traits"]["instance_ids"] for event in process.lines("event")}
    async with httpx.AsyncClient(trust_env=False) as http:
        for token, project, found in ((TOKEN, "p1", ["vm-1", "vm-2"]), (OTHER, "p2", ["vm-3"])):
            assert (await http.get(urls[project], headers={"X-Auth-Token": token})).json() == {"instance_ids": found}
        yes = {"state": "ACK_PLANNED_MAINTENANCE"}
        headers = {"X-Auth-Token": TOKEN}
        assert (await http.get(urls["p2"], headers=headers)).status_code == 403
        assert (await http.put(urls["p2"], headers=headers, json=yes)).status_code == 403
        assert (await http.get(urls["p1"][:-3] + "abc", headers=headers)).status_code == 404
        assert (await http.put(urls["p1"], headers=headers, json=yes)).status_code == 200
        assert bed.woken == []
        assert (
            await http.put(urls["p2"], headers={"X-Auth-Token": OTHER}, json={"state": "NACK_PLANNED_MAINTENANCE"})
        ).is_success
    await bed.until_woken()
    assert (await bed.answer("core")).result == "NACK"


async def test_it_prepares_where_an_instance_goes_to_a_host_that_is_still_to_be_maintained(bed: Bed) -> None:
    process = await peer(bed)
    await ask(bed, *MINE, interim=("vm-2",))
    await bed.until_woken()
    (event,) = process.lines("event")
    assert (event["state"], event["traits"]["allowed_actions"]) == ("PREPARE_MAINTENANCE", ["MIGRATE", "LIVE_MIGRATE"])


async def test_only_clients_of_fenix_have_a_workflow(bed: Bed) -> None:
    spec = VnfmSpec(callback_uri="http://vnfm.example.net/", workflow="default")
    with pytest.raises(InputError) as caught:
        await bed.vim.registry.add(Vnfm(name="native", spec=spec))
    assert [problem.path for problem in caught.value.problems] == ["spec.workflow"]


@pytest.mark.parametrize("type_", [NoticeType.SCALE_OUT_POSSIBLE, NoticeType.CAMPAIGN_COMPLETED, NoticeType.CAMPAIGN_ABORTED])
async def test_one_that_scales_before_it_answers_is_told_once(tmp_path: Path, type_: NoticeType) -> None:
    async with fenix_bed(tmp_path, timeout_s=0.3) as bed:
        process = await peer(bed, "--works", "1.5")
        await bed.vim.tell(type_, "c1", key="a")
        await bed.until(lambda: len(process.lines("event")) == 2)
        while (notice := (await bed.store.notices.list("c1"))[0]).state is NoticeState.PENDING:
            await bed.clock.advance(1.0)
        assert (notice.state, notice.attempts) == (NoticeState.DELIVERED, 1)
        assert len(process.lines("event")) == 2


async def test_one_that_takes_as_long_about_a_node_has_not_got_the_notice(tmp_path: Path) -> None:
    async with fenix_bed(tmp_path, timeout_s=0.3) as bed:
        await peer(bed, "--works", "1.5", "--silent")
        await ask(bed, *MINE)
        await bed.until_failed_once("core")
        assert (await bed.notice("core")).state is NoticeState.PENDING


async def test_what_doctors_vnf_manager_calls_migration_is_a_migration(bed: Bed) -> None:
    body = {"project_id": "p1", "instance_id": "vm-1", "migration_type": "MIGRATION", "lead_time": 40}
    headers = {"X-Auth-Token": TOKEN}
    async with httpx.AsyncClient(base_url=f"{bed.base_url}/fenix/v1", headers=headers, trust_env=False) as http:
        assert (await http.put("/instance/vm-1", json=body)).status_code == 200
    found: Constraint | None = await bed.store.constraints.get("instance", "vm-1")
    assert found is not None
    assert list(found.spec.supported_migration_type or ()) == ["live_migration", "offline_migration"]
