"""The message bus behind a whole server: what a campaign says there, and what the server says when it cannot."""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path

import pytest

from beds.rabbitmq.listening import listening
from beds.rabbitmq.server import Broker
from escalator.model.codes import Code
from escalator.model.errors import InputError, PermanentError
from escalator.model.progress import CampaignState
from escalator.settings import FenixNotifications, Settings, read_settings
from escalator.vim_interface.registry import BUS
from escalator.wiring import open_services
from integration.api.running import CAMPAIGN, FAST, write_release
from integration.vnfm.test_tacker_campaign import NAME, NODES, settled, sown

EXTRA = "Install it from the checkout: pip install --require-hashes -r requirements/extras.lock."


def settings(folder: Path, bus: FenixNotifications) -> Settings:
    cloud = {"driver": "simulated", "simulated": {"speed": FAST.speed}}
    fenix = {"auth": "none", "notifications": bus.model_dump()}
    return Settings.model_validate({"state_dir": str(folder), "cloud": cloud, "vim": {"fenix": fenix}})


@pytest.fixture
def bus() -> FenixNotifications:
    name = uuid.uuid4().hex
    return FenixNotifications(variable="BROKER_OF_THE_TEST", exchange=f"exchange-{name}", topic=f"topic-{name}")


async def test_a_campaign_is_heard_node_by_node(
    tmp_path: Path, rabbitmq_server: Broker, bus: FenixNotifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_OF_THE_TEST", rabbitmq_server.url())
    folder = tmp_path / "state"
    folder.mkdir()
    sown(folder / "world.sqlite", pinned=False)
    with listening(rabbitmq_server, bus) as listener:
        async with open_services(settings(folder, bus)) as services:
            await services.importer.import_folder(write_release(tmp_path / "release"))
            await services.campaigns.create(CAMPAIGN)
            await services.campaigns.plan(NAME)
            await services.campaigns.start(NAME)
            assert await settled(services) is CampaignState.COMPLETED
            for _ in range(600):
                if ("maintenance.session", "MAINTENANCE_DONE") in listener.said():
                    break
                await asyncio.sleep(0.05)
    hosts = [(one["payload"]["host"], one["payload"]["state"]) for one in listener.heard() if "host" in one["payload"]]
    assert len(hosts) == 2 * NODES
    for host in {name for name, _ in hosts}:
        assert [state for name, state in hosts if name == host] == ["IN_MAINTENANCE", "MAINTENANCE_COMPLETE"]
    assert listener.said()[-1] == ("maintenance.session", "MAINTENANCE_DONE")


async def test_the_bus_is_registered_for_as_long_as_the_settings_name_a_broker(
    tmp_path: Path, bus: FenixNotifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_OF_THE_TEST", "amqp://nobody:nothing@127.0.0.1:1/")
    for wanted, names in ((bus, [BUS]), (bus, [BUS]), (FenixNotifications(), [])):
        async with open_services(settings(tmp_path, wanted)) as services:
            assert [vnfm.name for vnfm in await services.ctx.store.vnfms.list() if vnfm.spec.orchestrator] == names
            if names:
                found = (await services.vim.reach(names))[0]
                assert (found.ok, found.code) == (False, Code.VIM_UNREACHABLE.value)


async def test_without_its_client_the_server_says_what_to_install(
    tmp_path: Path, bus: FenixNotifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "escalator.vim_interface.dialects.rabbitmq", raising=False)
    monkeypatch.setitem(sys.modules, "aio_pika", None)
    with pytest.raises(PermanentError) as refused:
        async with open_services(settings(tmp_path, bus)):
            pass
    assert (refused.value.code, refused.value.remedy) == (Code.VIM_NO_EXTRA, EXTRA)


def test_the_broker_is_named_once(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("vim: {fenix: {notifications: {credential: broker, variable: BROKER}}}\n")
    with pytest.raises(InputError, match="not valid"):
        read_settings(file, {})
