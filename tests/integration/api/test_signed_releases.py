"""Signed releases on a server: taken in by trust, vetted for new campaigns, shown, removed when nobody needs them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml

from escalator.api.app import operators_app
from escalator.model.progress import CampaignState, NodeTask
from escalator.system_support.releases.trust import Trust
from integration.api.running import CAMPAIGN, TOKEN, TestServices, running, write_release
from integration.api.test_serving import SOURCE, configuration, serving
from unit.system_support.bundles import ALICE, BOB, BOTH, MALLORY, bundle

BUNDLE = {"Content-Type": "application/vnd.escalator.release-bundle"}
ID = "/v1/releases/r/2.0.0"
FILES = {"a": b"x" * 3_000_000, "b": b"y"}
ROOT = Path(__file__).parents[3]


def app_of(services: TestServices) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(operators_app(services), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470", headers=headers)


@pytest.fixture
async def services(tmp_path) -> AsyncIterator[TestServices]:
    async with running(tmp_path / "state", trust=BOTH) as found:
        yield found


@pytest.fixture
async def api(services) -> AsyncIterator[httpx.AsyncClient]:
    async with app_of(services) as client:
        yield client


async def send(api, file: Path) -> httpx.Response:
    return await api.post("/v1/releases", content=file.read_bytes(), headers=BUNDLE)  # noqa: ASYNC240 - a few megabytes


async def test_a_signed_bundle_is_taken_in_and_shown_with_who_signed(api, tmp_path):
    reply = await send(api, bundle(tmp_path / "b", ALICE, BOB, MALLORY, files=FILES, expires="2099-01-01T00:00:00Z"))
    assert reply.status_code == 201, reply.text
    said = reply.json()
    assert (said["signature"], said["signed_by"]) == ("trusted", ["alice", "bob"])
    assert (said["expires"], said["hindrance"]) == ("2099-01-01T00:00:00Z", None)
    assert (await api.get(ID)).json() == said
    assert (await api.get("/v1/releases")).json() == [said]
    (event,) = (await api.get("/v1/events")).json()
    assert (event["action"], event["object_id"]) == ("release.import", "r/2.0.0")
    assert event["message"] == f"signed by alice, bob; {said['digest']}"


@pytest.mark.parametrize(
    ("signers", "spec", "status", "code", "exit_code"),
    [
        ((), {}, 409, "ESC-SYS-021", 3),
        ((ALICE, MALLORY), {}, 409, "ESC-SYS-021", 3),
        ((ALICE, BOB), {"expires": "2020-01-01T00:00:00Z"}, 409, "ESC-SYS-022", 3),
    ],
)
async def test_what_is_not_trusted_is_refused(api, tmp_path, signers, spec, status, code, exit_code):
    reply = await send(api, bundle(tmp_path / "b", *signers, files=FILES, **spec))
    assert (reply.status_code, reply.json()["code"], reply.json()["exit_code"]) == (status, code, exit_code)
    assert (await api.get("/v1/releases")).json() == []
    assert (await api.get("/v1/events")).json() == []


async def test_a_damaged_bundle_is_refused_and_leaves_nothing(api, services, tmp_path):
    data = bundle(tmp_path / "b", ALICE, BOB, files=FILES).read_bytes()
    for content, code in (
        (data[:-1], "ESC-SYS-019"),
        (data[:2_000_000] + b"!" + data[2_000_001:], "ESC-SYS-020"),
        (b"", "ESC-SYS-019"),
    ):
        reply = await api.post("/v1/releases", content=content, headers=BUNDLE)
        assert (reply.status_code, reply.json()["code"]) == (422, code)
    assert [path for path in (services.settings.state / "releases").rglob("*") if path.is_file()] == []
    assert list((services.settings.state / "releases/incoming").iterdir()) == []


async def test_a_bundle_larger_than_the_disk_is_refused_by_what_it_announces(api):
    reply = await api.post("/v1/releases", content=b"x", headers={**BUNDLE, "Content-Length": str(2**60)})
    assert reply.status_code == 413


async def test_a_folder_is_refused_where_there_is_a_trust_store(api):
    reply = await api.post("/v1/releases", files=[("document", ("release.yaml", b"x", "application/yaml"))])
    assert (reply.status_code, reply.json()["code"]) == (409, "ESC-SYS-021")
    assert "escalator release sign FILE --key KEYFILE; escalator release import FILE" in reply.json()["remedy"]


async def test_without_a_trust_store_a_release_says_that_it_is_unsigned(tmp_path):
    async with running(tmp_path / "state") as services, app_of(services) as api:
        assert (await send(api, bundle(tmp_path / "1"))).json()["signature"] == "not-verified"
        parts = [
            ("document", ("release.yaml", (write_release(tmp_path / "2") / "release.yaml").read_bytes(), "application/yaml"))
        ]
        assert (await api.post("/v1/releases", files=parts)).json()["signature"] == "unsigned"


# New campaigns


async def create(api, release: str) -> None:
    document = CAMPAIGN.replace("nfvi-agent/2.0.0", release)
    reply = await api.post("/v1/campaigns", content=document, headers={"Content-Type": "application/yaml"})
    assert reply.status_code == 201, reply.text


async def test_a_key_that_is_trusted_no_more_keeps_new_campaigns_from_a_release(tmp_path):
    async with running(tmp_path / "state", trust=BOTH) as services, app_of(services) as api:
        await send(api, bundle(tmp_path / "b", ALICE, BOB, files=FILES))
        (kept,) = await services.ctx.store.releases.list()
    async with running(tmp_path / "state", trust=Trust({"mallory": MALLORY.public_key}, 1)) as services, app_of(services) as api:
        await services.ctx.store.releases.add(kept)
        assert (await api.get(ID)).json()["hindrance"]["code"] == "ESC-SYS-021"
        assert (await api.get(ID)).json()["signed_by"] == ["alice", "bob"]
        await create(api, "r/2.0.0")
        reply = await api.post("/v1/campaigns/agent-2/actions/plan")
        assert (reply.status_code, reply.json()["code"]) == (409, "ESC-SYS-021")
        signed = bundle(tmp_path / "c", MALLORY, files=FILES)
        assert (await send(api, signed)).json()["signed_by"] == ["mallory"]
        assert (await api.get(ID)).json()["hindrance"] is None


# Removal


async def test_a_release_is_removed_when_no_campaign_needs_it(api, services, tmp_path):
    await send(api, bundle(tmp_path / "b", ALICE, BOB, files=FILES))
    await create(api, "r/2.0.0")
    reply = await api.delete(ID)
    assert (reply.status_code, reply.json()["code"], reply.json()["exit_code"]) == (409, "ESC-SYS-023", 6)
    assert "campaign agent-2 is draft and names it" in reply.json()["detail"]
    assert reply.json()["remedy"] == "escalator campaign remove agent-2; escalator release remove r/2.0.0"
    campaigns = services.ctx.store.campaigns
    await campaigns.change("agent-2", (CampaignState.DRAFT,), (), state=CampaignState.COMPLETED)
    reply = await api.delete(ID)
    assert reply.status_code == 409, "there is a way back from a completed campaign"
    assert reply.json()["remedy"] == "escalator campaign commit agent-2; escalator release remove r/2.0.0"
    await campaigns.change("agent-2", (CampaignState.COMPLETED,), (), state=CampaignState.COMMITTED)
    assert (await api.delete(ID)).status_code == 204
    assert (await api.get(ID)).status_code == 404
    assert (await api.delete(ID)).status_code == 404
    assert [e["action"] for e in (await api.get("/v1/events")).json()][-1] == "release.remove"


async def test_a_release_that_nodes_would_go_back_to_is_kept(api, services, tmp_path):
    pins = [{"name": "agent", "version": "1.0.0"}]
    for version, packages in (("1.0.0", pins), ("2.0.0", [])):
        await send(api, bundle(tmp_path / version, ALICE, BOB, files=FILES, version=version, packages=packages))
    await create(api, "r/2.0.0")
    task = NodeTask(campaign="agent-2", node="cn-0001", wave=1, updated_at=0.0)
    await services.ctx.store.tasks.put(task)
    await services.ctx.store.tasks.remember(task.id, "backup", {"packages": {"agent": "1.0.0"}})
    reply = await api.delete("/v1/releases/r/1.0.0")
    assert (reply.status_code, reply.json()["code"]) == (409, "ESC-SYS-023")
    assert "the way back of cn-0001 in campaign agent-2 leads to it" in reply.json()["detail"]
    await services.ctx.store.tasks.remember(task.id, "backup", {"packages": {"agent": "0.9.0"}})
    assert (await api.delete("/v1/releases/r/1.0.0")).status_code == 204


# The how-to


def test_the_commands_of_the_how_to_work_as_they_stand(tmp_path):
    text = (ROOT / "docs/howto/sign-releases.md").read_text()
    commands = [line.removeprefix("$ ") for line in re.findall(r"^\$ escalator .*$", text, re.MULTILINE)]
    trust = yaml.safe_load(re.search(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1])
    offline = [line for line in commands if re.match(r"escalator release (key|build|sign|verify)", line)]
    online = [line for line in commands if line not in offline]
    assert (len(offline), len(online)) == (6, 4)
    write_release(tmp_path / "nfvi-agent-2.0.0")
    environment = {"BOB_PASSPHRASE": "correct horse"}
    for line in offline:
        if " verify " in line:
            (tmp_path / "trusted").mkdir()
            for name in ("alice", "bob"):
                (tmp_path / "trusted" / f"{name}.pub").write_bytes((tmp_path / f"{name}.pub").read_bytes())
        said = typed(line, tmp_path, environment)
    assert "alice, bob" in said
    alice, bob = trust["releases"]["trust"]["keys"]
    alice["file"], bob["public"] = str(tmp_path / "alice.pub"), (tmp_path / "bob.pub").read_text()
    with serving(configuration(tmp_path, **trust)) as (_, urls):
        environment = {"ESCALATOR_URL": urls["server"], "ESCALATOR_TOKEN_FILE": str(tmp_path / "state" / "token")}
        said = [typed(line, tmp_path, environment) for line in online]
        assert "alice, bob" in said[1]
        assert "verified when it was imported" in said[2]
        assert typed("escalator release list -f value", tmp_path, environment) == ""


def typed(line: str, where: Path, environment: dict[str, str]) -> str:
    words = [sys.executable, "-m", "escalator.main", *shlex.split(line)[1:]]
    run = subprocess.run(
        words, cwd=where, env={"PYTHONPATH": str(SOURCE), **environment}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, (line, run.stderr)
    return run.stdout
