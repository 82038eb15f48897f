"""Campaigns in which a VNF manager's password or certificate turns wrong: Escalator as it is wired, the owner as a process.

Nothing is started anew: what the operator puts right on the disk counts when the campaign is resumed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from beds.vnfm.authority import DAY, Authority
from beds.vnfm.listener import served
from beds.vnfm.processes import VnfmProcess, vnfm_process
from escalator.api.vnfm import vnfm_app
from escalator.model.notice import Auth, NoticeState, NoticeType, Vnfm, VnfmSpec
from escalator.model.progress import CampaignState, TaskState
from escalator.settings import Settings
from escalator.wiring import Services, open_services
from escalator.world.world import World
from integration.api.running import CAMPAIGN, FAST, write_release
from integration.vnfm.test_tacker_campaign import NAME, settled, sown

PROJECTS = ("core", "tenants", "user-plane", "voice")
"""All that there are: every instance is the owner's."""
ONE_BY_ONE = CAMPAIGN.replace("max_unavailable: 2", "max_unavailable: 1")
OLD, NEW = "escalator:old-s3cret", "escalator:new-s3cret"


@asynccontextmanager
async def server(folder: Path, **vim: object) -> AsyncIterator[tuple[Services, World]]:
    """Escalator with a listener at which replies arrive, and a credential that is good so far."""
    (folder / "credentials").mkdir(parents=True)
    put(folder, OLD)
    sown(folder / "world.sqlite")
    listener = socket.create_server(("127.0.0.1", 0))
    values = {
        "state_dir": str(folder),
        "cloud": {"driver": "simulated", "simulated": {"speed": FAST.speed}},
        "vnfm": {"port": listener.getsockname()[1]},
        "vim": {"retry_s": 0.02, "delivery_attempts": 3, **vim},
    }
    async with open_services(Settings.model_validate(values)) as services:
        world = services.ctx.cloud._world  # type: ignore[attr-defined]
        async with served(vnfm_app(services.vim.inbox, services.ctx.clock, services.fenix, services.tacker), listener):
            yield services, world


def put(folder: Path, secret: str) -> None:
    file = folder / "credentials" / "owner"
    file.touch(0o600)
    file.write_text(secret)


async def begin(services: Services, process: VnfmProcess, folder: Path, auth: Auth, document: str = ONE_BY_ONE) -> None:
    """Start a campaign; the owner holds back its answer to the first notice that asks for one."""
    spec = VnfmSpec(callback_uri=process.callback_uri, auth=auth, projects=PROJECTS)
    await services.vim.registry.add(Vnfm(name="owner", spec=spec))
    await services.importer.import_folder(write_release(folder / "release"))
    await services.campaigns.create(document)
    await services.campaigns.plan(NAME)
    await services.campaigns.start(NAME)
    for _ in range(3000):
        if any("replyUri" in line["body"] for line in process.lines("notified")):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the owner is not asked")


async def turned_wrong(services: Services, world: World, process: VnfmProcess, **change: object) -> CampaignState:
    """Spoil it while the first answer is held back: no node that it did not answer for is touched, nor anything on it."""
    before = {i.id: (i.node, i.running) for i in world.inventory().instances}
    process.control(**change, release=True)
    state = await settled(services)
    asked = [n for n in await services.ctx.store.notices.list(NAME) if n.type is NoticeType.HOST_MAINTENANCE_UPCOMING]
    answered = {n.node for n in asked if n.state is NoticeState.ANSWERED}
    (unheard,) = {n.node for n in asked if n.state is NoticeState.UNDELIVERABLE}
    assert len(answered) == 1
    after = {i.id: (i.node, i.running) for i in world.inventory().instances}
    assert {before[i][0] for i in before if before[i] != after[i]} <= answered
    nodes = world.inventory().nodes
    empty = {n.id for n in nodes} - {node for node, _ in before.values()}
    assert {n.id for n in nodes if n.versions.get("agent") == "2.0.0"} == answered | empty
    assert unheard not in answered
    return state


async def paused(services: Services, *words: str) -> None:
    """It says why in words that tell what to mend."""
    view = await services.campaigns.show(NAME)
    assert view.row.state is CampaignState.PAUSED
    assert view.row.code == "ESC-UPG-013"
    for word in words:
        assert word in view.row.reason
    assert view.next[:2] == ["escalator vnfm test owner", f"escalator campaign resume {NAME}"]
    assert "s3cret" not in view.row.reason


async def finished(services: Services, world: World) -> None:
    """Resumed, it goes on by itself."""
    await services.campaigns.resume(NAME)
    state = await settled(services)
    view = await services.campaigns.show(NAME)
    assert state is CampaignState.COMPLETED, [(t.node, t.state, t.code, t.message) for t in view.tasks]
    nodes = world.inventory().nodes
    assert {n.versions.get("agent") for n in nodes} == {"2.0.0"}
    assert not [n.id for n in nodes if n.maintenance]


@pytest.mark.parametrize("kind", ["basic", "oauth2"])
async def test_a_password_that_changes_pauses_and_the_new_file_lets_the_campaign_finish(tmp_path: Path, kind: str) -> None:
    async with server(tmp_path / "state") as (services, world):
        option = "--oauth" if kind == "oauth2" else "--credential"
        with vnfm_process(tmp_path / "log", option, OLD, "--behaviour", "follows", "--hold") as process:
            endpoint = process.callback_uri.replace("/notices", "/token") if kind == "oauth2" else None
            auth = Auth.model_validate({"type": kind, "credential": "owner", "token_endpoint": endpoint})
            await begin(services, process, tmp_path, auth)
            change = {"oauth": NEW, "revoke": True} if kind == "oauth2" else {"credential": NEW}
            assert await turned_wrong(services, world, process, **change) is CampaignState.PAUSED
            await paused(services, "ESC-VIM-004", "owner refused our credentials (401)")
            put(tmp_path / "state", NEW)
            await finished(services, world)
            assert "s3cret" not in repr(await services.ctx.store.events.read(0, limit=10_000))


async def test_a_password_that_changes_leaves_out_what_may_not_live_migrate_where_policy_proceeds(tmp_path: Path) -> None:
    # The time that was announced is waited for, too: it has to be short here.
    policy = "  workloads: {notify: {on_undeliverable: proceed, reply_timeout_s: 8}}\n"
    async with server(tmp_path / "state") as (services, world):
        with vnfm_process(tmp_path / "log", "--credential", OLD, "--behaviour", "follows", "--hold") as process:
            auth = Auth(type="basic", credential="owner")
            await begin(services, process, tmp_path, auth, ONE_BY_ONE + policy)
            assert await turned_wrong(services, world, process, credential=NEW) is CampaignState.COMPLETED
            tasks = (await services.campaigns.show(NAME)).tasks
            left_out = [task for task in tasks if task.state is TaskState.SKIPPED]
            assert [task.code for task in left_out] == ["ESC-UPG-013"]
            assert "did not reach owner does not allow in-place of instance" in left_out[0].message


@pytest.mark.parametrize("spoil", ["ended", "of another authority"])
async def test_a_certificate_that_is_not_accepted_pauses_until_what_is_wrong_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    known, other = Authority(tmp_path), Authority(tmp_path, "other")
    trust = tmp_path / "trust.pem"
    trust.write_bytes(known.file.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(trust))
    good = known.issue("good")
    bad = known.issue("bad", left=-0.1 * DAY) if spoil == "ended" else other.issue("bad")

    def mend(process: VnfmProcess) -> None:
        if spoil == "ended":
            process.control(tls=str(good))
        else:
            trust.write_bytes(known.file.read_bytes() + other.file.read_bytes())

    said = "certificate has expired" if spoil == "ended" else "unable to get local issuer certificate"
    await _certificate(tmp_path, (good, bad), mend, said)


async def _certificate(folder: Path, shown: tuple[Path, Path], mend: Callable[[VnfmProcess], None], said: str) -> None:
    good, bad = shown
    async with server(folder / "state") as (services, world):
        with vnfm_process(folder / "log", "--tls", str(good), "--behaviour", "follows", "--hold") as process:
            await begin(services, process, folder, Auth())
            assert await turned_wrong(services, world, process, tls=str(bad)) is CampaignState.PAUSED
            await paused(services, f"ESC-VIM-024: The certificate of VNF manager owner is not accepted: {said}.")
            mend(process)
            await finished(services, world)
