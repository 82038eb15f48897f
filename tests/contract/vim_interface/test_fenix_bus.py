"""Events of the Fenix interface on a real RabbitMQ, heard by a listener in a process of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from beds.rabbitmq.listening import OSLO, PATIENCE_S, listening
from beds.rabbitmq.server import Broker
from beds.vnfm.bed import REPLY_TIMEOUT_S, TASK, Bed, opened_bed
from beds.vnfm.clocks import quiet
from contract.vim_interface.test_fenix import PAIR, SESSION, TOKEN, ask, peer
from escalator.model.codes import Code
from escalator.model.errors import InputError, PermanentError
from escalator.model.notice import Notice, NoticeState, NoticeType, Vnfm, VnfmSpec
from escalator.settings import FenixNotifications
from escalator.storage.port import CampaignRow
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.fenix_bus import FenixBus
from escalator.vim_interface.dialects.rabbitmq import Rabbitmq, address_of
from escalator.vim_interface.facts import CapacityReturned, CapacityTaken, Moved, StateChange
from escalator.vim_interface.registry import BUS

TAKEN = CapacityTaken(campaign="c1", node="cn-1", hold="c1/cn-1/1")
RETURNED = CapacityReturned(campaign="c1", node="cn-1", hold="c1/cn-1/1", upgraded=True)


@pytest.fixture
def settings() -> FenixNotifications:
    """An exchange of its own for each test."""
    name = uuid.uuid4().hex
    return FenixNotifications(credential="broker", exchange=f"exchange-{name}", topic=f"topic-{name}", project="admins")


@pytest.fixture
async def bed(tmp_path: Path, rabbitmq_server: Broker, settings: FenixNotifications) -> AsyncIterator[Bed]:
    async with opened_bed("fenix", tmp_path) as opened:
        opened.tokens |= {TOKEN: "p1"}
        await opened.store.campaigns.add(CampaignRow(name="c1", document={}))
        point(tmp_path, rabbitmq_server.url())
        client = Rabbitmq(settings, lambda: address_of(settings, Credentials(tmp_path), {}), 5.0)
        opened.dialects[BUS] = FenixBus(client, opened.store, opened.clock, opened.base_url, settings.project)
        opened.stack.push_async_callback(client.close)
        await opened.store.vnfms.add(Vnfm(name=BUS, spec=VnfmSpec(dialect=BUS)))
        yield opened


def point(folder: Path, address: str) -> None:
    """Say where the broker is."""
    file = folder / "broker"
    file.write_text(address + "\n")
    file.chmod(0o600)


async def settled(bed: Bed) -> list[Notice]:
    """Notices to the bus, when none is pending any more; the oldest first."""
    found: list[Notice] = []

    async def look() -> bool:
        found[:] = [notice for notice in reversed(await bed.store.notices.list()) if notice.vnfm == BUS]
        return all(notice.state is not NoticeState.PENDING for notice in found)

    await eventually(bed, look)
    return found


async def failed_once(bed: Bed) -> Notice:
    async def look() -> bool:
        return any(notice.vnfm == BUS and notice.attempts for notice in await bed.store.notices.list())

    await eventually(bed, look)
    return next(notice for notice in await bed.store.notices.list() if notice.vnfm == BUS and notice.attempts)


async def eventually(bed: Bed, look: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(int(PATIENCE_S / 0.02)):
        if await look():
            return
        await quiet()
        await asyncio.sleep(0.02)
    raise AssertionError("this did not happen")


@pytest.mark.parametrize("how", ["oslo", "by-hand"])
async def test_a_listener_hears_a_session_from_its_beginning_to_its_end(
    bed: Bed, rabbitmq_server: Broker, settings: FenixNotifications, how: str
) -> None:
    if how == "oslo" and not OSLO.exists():
        pytest.skip("the OpenStack bed's environment was not made yet")
    with listening(rabbitmq_server, settings, how) as listener:
        process = await peer(bed, "doctor")
        await bed.vim.tell(NoticeType.MAINTENANCE_PLANNED, "c1", key="a")
        await bed.vim.orchestrators.tell(TAKEN)
        await ask(bed)
        await bed.until(lambda: len(listener.heard()) == 4)
        await bed.until_woken()
        await bed.vim.tell(NoticeType.HOST_AVAILABLE, "c1", node="cn-1", vnfms=("core",), key="b", task=TASK)
        moved = Moved(campaign="c1", move="m", instance="vm-1", origin="cn-1", target="cn-2", kind="live")
        for fact in (moved, replace(RETURNED, percent=50), StateChange(campaign="c1", number=1, state="completed", percent=100)):
            await bed.vim.orchestrators.tell(fact)
        await bed.vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", key="c")
        await bed.until(lambda: len(listener.heard()) == 10)
    heard = listener.heard()
    expected = [
        ("maintenance.scheduled", "MAINTENANCE"),
        ("maintenance.host", "IN_MAINTENANCE"),
        ("maintenance.scheduled", "PLANNED_MAINTENANCE"),
        ("maintenance.scheduled", "PLANNED_MAINTENANCE"),
        ("maintenance.scheduled", "INSTANCE_ACTION_DONE"),
        ("maintenance.scheduled", "INSTANCE_ACTION_DONE"),
        ("maintenance.host", "MAINTENANCE_COMPLETE"),
        ("maintenance.session", "PLANNED_MAINTENANCE"),
        ("maintenance.session", "MAINTENANCE_DONE"),
        ("maintenance.scheduled", "MAINTENANCE_COMPLETE"),
    ]
    # Threads of oslo.messaging may overtake one another.
    assert listener.said() == expected if how == "by-hand" else sorted(listener.said()) == sorted(expected)
    assert {one["publisher_id"] for one in heard} == {"fenix"}
    assert len({one["message_id"] for one in heard}) == 10
    host = {"service": "fenix", "state": "IN_MAINTENANCE", "session_id": SESSION, "host": "cn-1", "project_id": "admins"}
    assert host in [one["payload"] for one in heard]
    session = {k: v for k, v in host.items() if k != "host"} | {"state": "MAINTENANCE_DONE", "percent_done": 100}
    assert session in [one["payload"] for one in heard]
    assert session | {"state": "PLANNED_MAINTENANCE", "percent_done": 50} in [one["payload"] for one in heard]
    asked = [event["traits"] for event in process.lines("event") if event["state"] == "PLANNED_MAINTENANCE"]
    told = next(traits for traits in asked if traits["instance_ids"] == ["vm-1"])
    said = next(one["payload"] for one in heard if one["payload"].get("reply_url") == told["reply_url"])
    assert said == {**told, "service": "fenix", "metadata": {}}


async def test_what_the_broker_cannot_take_now_is_kept_and_comes_in_order(
    bed: Bed, rabbitmq_server: Broker, settings: FenixNotifications
) -> None:
    point(bed.folder, "amqp://nobody:nothing@127.0.0.1:1/")
    await peer(bed, "doctor")
    await bed.vim.orchestrators.tell(TAKEN)
    await ask(bed, PAIR[0])
    await bed.until_woken()
    assert (await bed.answer("core")).state == "answered"
    first = await failed_once(bed)
    assert first.error_code == Code.VIM_UNREACHABLE.value
    assert "nothing@" not in str(first.error)
    await bed.vim.orchestrators.tell(RETURNED)
    # Nobody tries while the manager is down; when it is up again, the time to reply is over.
    await bed.stop()
    await bed.clock.advance(REPLY_TIMEOUT_S)
    point(bed.folder, rabbitmq_server.url())
    with listening(rabbitmq_server, settings) as listener:
        bed.build()
        bed.start()
        rows = await settled(bed)
        await bed.until(lambda: len(listener.heard()) == 2)
    assert listener.said() == [("maintenance.host", "IN_MAINTENANCE"), ("maintenance.host", "MAINTENANCE_COMPLETE")]
    # The time to reply is over: who hears of the question now could only be misled.
    assert [(row.state.value, row.error_code) for row in rows] == [
        ("delivered", None),
        ("undeliverable", Code.VIM_LATE.value),
        ("delivered", None),
    ]


async def test_an_event_of_a_manager_that_was_removed_holds_up_nothing(
    bed: Bed, rabbitmq_server: Broker, settings: FenixNotifications
) -> None:
    point(bed.folder, "amqp://nobody:nothing@127.0.0.1:1/")
    await peer(bed, "doctor")
    await ask(bed, PAIR[0])
    await bed.until_woken()
    await failed_once(bed)
    await bed.stop()
    await bed.store.vnfms.remove("core")
    point(bed.folder, rabbitmq_server.url())
    with listening(rabbitmq_server, settings) as listener:
        bed.build()
        bed.start()
        await bed.vim.orchestrators.tell(TAKEN)
        await bed.clock.advance(120)
        rows = await settled(bed)
        await bed.until(lambda: len(listener.heard()) == 1)
    assert [row.error_code for row in rows] == [Code.VIM_LATE.value, None]


async def test_a_broker_that_dies_costs_nothing_but_time(bed: Bed, rabbitmq_server: Broker, settings: FenixNotifications) -> None:
    with listening(rabbitmq_server, settings) as listener:
        await bed.vim.orchestrators.tell(TAKEN)
        await bed.until(lambda: len(listener.heard()) == 1)
    rabbitmq_server.stop()
    await bed.vim.orchestrators.tell(RETURNED)
    await failed_once(bed)
    rabbitmq_server.start()
    with listening(rabbitmq_server, settings) as listener:
        await bed.clock.advance(120)
        assert [row.state for row in await settled(bed)] == [NoticeState.DELIVERED] * 2
        await bed.until(lambda: len(listener.heard()) == 1)
    assert listener.said() == [("maintenance.host", "MAINTENANCE_COMPLETE")]


async def test_what_no_queue_takes_is_not_delivered(bed: Bed, rabbitmq_server: Broker, settings: FenixNotifications) -> None:
    await bed.vim.orchestrators.tell(TAKEN)
    missing = await failed_once(bed)
    assert (missing.error_code, settings.exchange in str(missing.error)) == (Code.VIM_REFUSED.value, True)
    deaf = settings.model_copy(update={"topic": "something-else"})
    with listening(rabbitmq_server, deaf):
        await bed.clock.advance(120)
        await bed.until(lambda: True)
        assert not (await bed.vim.reach([BUS]))[0].message
    with listening(rabbitmq_server, settings) as listener:
        await bed.clock.advance(1200)
        await settled(bed)
        await bed.until(lambda: len(listener.heard()) == 1)


async def test_over_tls_the_certificate_of_the_broker_counts(
    bed: Bed, rabbitmq_server: Broker, settings: FenixNotifications
) -> None:
    point(bed.folder, rabbitmq_server.url(tls=True))
    found = (await bed.vim.reach([BUS]))[0]
    assert (found.ok, "certificate" in found.message) == (False, True)
    trusting = settings.model_copy(update={"ca_file": str(rabbitmq_server.ca_file)})
    client = Rabbitmq(trusting, lambda: address_of(trusting, Credentials(bed.folder), {}), 5.0)
    with listening(rabbitmq_server, settings):
        await client.test()
    await client.close()


async def test_a_wrong_password_is_said_without_showing_it(bed: Bed, rabbitmq_server: Broker) -> None:
    point(bed.folder, rabbitmq_server.url(password="something-secret"))
    found = (await bed.vim.reach([BUS]))[0]
    assert (found.code, "something-secret" in found.message) == (Code.VIM_CREDENTIALS.value, False)


def test_the_address_stands_in_a_variable_or_a_file_and_is_never_shown(tmp_path: Path) -> None:
    named = FenixNotifications(variable="BROKER")
    good = "amqps://user:secret@broker.example.net:5671/"
    assert address_of(named, Credentials(tmp_path), {"BROKER": good}) == good
    for bad in ("", "http://user:secret@broker/", "amqp://", "amqp://user:secret@broker:99999/"):
        with pytest.raises(PermanentError) as refused:
            address_of(named, Credentials(tmp_path), {"BROKER": bad})
        assert (refused.value.code, "secret" in refused.value.message) == (Code.VIM_CREDENTIAL_FILE, False)


async def test_nobody_registers_as_the_bus(bed: Bed) -> None:
    with pytest.raises(InputError, match="not valid"):
        await bed.vim.registry.add(Vnfm(name="other", spec=VnfmSpec(dialect=BUS)))
    with pytest.raises(InputError, match="not valid"):
        await bed.vim.registry.replace(Vnfm(name=BUS, spec=VnfmSpec(dialect="or-vi", callback_uri="http://127.0.0.1:1/n")))
