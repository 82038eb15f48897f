"""Probes look at real services: over TCP, HTTP and ICMP; and the prober keeps when they were away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from beds.vnfm.clocks import START, SteppedClock, quiet
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.settings import Probe
from escalator.storage.memory import memory_store
from escalator.storage.port import OutageRow, Outages, Store, WatchRow
from escalator.vim_interface.probes.checks import look
from escalator.vim_interface.probes.prober import KEEP_S, LOOK_S, MAX_OUTAGES, Prober


def probe(kind: str, target: str, **more: Any) -> Probe:
    return Probe(vnf="amf-7", kind=kind, target=target, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def service(answer: bytes | None) -> AsyncIterator[int]:
    """A service that answers with these bytes and hangs up; with None it takes connections and says nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await reader.read()
        writer.write(answer or b"")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def test_a_port_is_there_or_it_is_not() -> None:
    async with service(b"") as port:
        assert await look(probe("tcp", f"127.0.0.1:{port}")) is None
    why = await look(probe("tcp", f"127.0.0.1:{closed_port()}"))
    assert why is not None
    assert "refused" in why.lower() or "Connect call failed" in why


@pytest.mark.parametrize(("status", "why"), [(200, None), (204, None), (302, None), (404, "answered 404"), (503, "answered 503")])
async def test_an_http_service_answers_or_says_that_it_cannot(status: int, why: str | None) -> None:
    async with service(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: /\r\n\r\n" % status) as port:
        assert await look(probe("http", f"http://127.0.0.1:{port}/health")) == why


async def test_a_service_that_says_nothing_or_nonsense_is_away() -> None:
    async with service(None) as port:
        assert await look(probe("http", f"http://127.0.0.1:{port}/", timeout_s=0.2)) is not None
    async with service(b"\0\0\0\r\n\r\n") as port:
        assert await look(probe("http", f"http://127.0.0.1:{port}/")) is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_host_answers_an_echo(address: str) -> None:
    why = await look(probe("icmp", address))
    if why is not None and "ermission" in why:
        pytest.skip("this machine lets nobody send an echo without privilege")
    assert why is None


async def test_a_host_that_is_not_there_answers_none() -> None:
    # The discard prefix of RFC 6666: nobody has it.
    assert await look(probe("icmp", "100::1", timeout_s=0.2)) is not None


@pytest.mark.parametrize(
    ("kind", "target"),
    [("tcp", "host"), ("tcp", "host:x"), ("tcp", "h:1/p"), ("http", "host:1"), ("http", "http://u:p@h/"), ("icmp", "host")],
)
def test_a_target_that_the_kind_cannot_use_is_refused(kind: str, target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        probe(kind, target)


class Stage:
    """A prober over time that stands still; the service answers as `why` says."""

    def __init__(self, interval_s: float = 1.0) -> None:
        self.clock = SteppedClock()
        self.store: Store = memory_store()
        self.campaign: str | None = "night"
        self.why: str | None = None
        self.answer_s = 0.0
        self.probes = {"amf": probe("tcp", "h:1", interval_s=interval_s)}
        self.task: asyncio.Task[None] | None = None

    async def _running(self) -> str | None:
        return self.campaign

    async def _look(self, _: Probe) -> str | None:
        await self.clock.sleep(self.answer_s)
        return self.why

    async def start(self) -> None:
        self.task = asyncio.create_task(Prober(self.probes, self.store.outages, self.clock, self._running, self._look).run())
        await quiet()

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def go(self, seconds: float, why: str | None = None) -> None:
        self.why = why
        await self.clock.advance(seconds)

    async def spans(self) -> list[tuple[float, float | None, str]]:
        end: Callable[[float | None], float | None] = lambda at: None if at is None else at - START  # noqa: E731
        rows = await self.store.outages.list("night")
        return [(row.started_at - START, end(row.ended_at), row.reason) for row in rows]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.start()
    yield stage
    await stage.stop()


async def test_an_outage_lasts_from_the_first_look_in_vain_to_the_next_good_one(stage: Stage) -> None:
    await stage.go(3.5)
    await stage.go(2, "refused")
    assert await stage.spans() == [(4.0, None, "refused")]
    await stage.go(4)
    await stage.go(1, "no route")
    assert await stage.spans() == [(4.0, 6.0, "refused"), (10.0, None, "no route")]
    (row, _) = await stage.store.outages.list("night")
    assert (row.vnf, row.probe) == ("amf-7", "amf")


async def test_a_look_that_waits_through_the_end_of_an_outage_ends_it_with_its_answer(stage: Stage) -> None:
    await stage.go(3.5)
    await stage.go(2, "refused")
    stage.answer_s = 0.75
    await stage.go(1)
    await stage.go(1)
    assert await stage.spans() == [(4.0, 6.75, "refused")]


async def test_the_watch_says_how_long_and_how_often_was_looked(stage: Stage) -> None:
    await stage.go(KEEP_S + 1)
    await stage.go(2, "refused")
    stage.campaign = None
    await stage.go(LOOK_S + 1)
    (watch,) = await stage.store.outages.watches("night")
    assert watch.since == START
    assert watch.until - watch.since == watch.sent - 1
    assert watch.sent >= KEEP_S
    assert watch.failed >= 1
    before = watch.sent
    await stage.go(60)
    (watch,) = await stage.store.outages.watches("night")
    assert watch.sent == before


async def test_nothing_is_looked_at_while_no_campaign_runs(stage: Stage) -> None:
    stage.campaign = None
    await stage.go(LOOK_S + 1)
    await stage.go(100, "refused")
    assert await stage.spans() == []


async def test_time_in_which_nobody_looked_is_no_outage(stage: Stage) -> None:
    await stage.go(3.5)
    await stage.go(2, "refused")
    await stage.stop()
    await stage.go(3600, "refused")
    await stage.start()
    await stage.go(2, "refused")
    await stage.go(2)
    assert await stage.spans() == [(4.0, 5.0, "refused"), (3605.5, 3608.5, "refused")]
    await stage.stop()
    (watch,) = await stage.store.outages.watches("night")
    assert watch.since == START
    assert watch.sent >= 9


async def test_a_probe_begins_although_storage_did_not_answer_at_first() -> None:
    stage = Stage()
    shut = Shut(stage.store.outages)
    shut.down = True
    stage.store = replace(stage.store, outages=shut)
    await stage.start()
    await stage.go(10, "refused")
    shut.down = False
    await stage.go(10, "refused")
    assert len(await stage.spans()) == 1
    await stage.stop()


async def test_a_service_that_flaps_does_not_fill_the_storage() -> None:
    stage = Stage(interval_s=0.05)
    await stage.start()
    for _ in range(MAX_OUTAGES + 5):
        await stage.go(0.05, "refused")
        await stage.go(0.05)
    await stage.stop()
    assert len(await stage.store.outages.list("night")) == MAX_OUTAGES
    (watch,) = await stage.store.outages.watches("night")
    assert watch.failed > MAX_OUTAGES


class Shut:
    """Storage that takes nothing while it is down."""

    def __init__(self, behind: Outages) -> None:
        self.down = False
        self._behind = behind
        self.watch, self.list = behind.watch, behind.list

    async def watches(self, campaign: str) -> Sequence[WatchRow]:
        if self.down:
            raise TemporaryError(Code.STO_UNAVAILABLE, "down")
        return await self._behind.watches(campaign)

    async def put(self, row: OutageRow) -> None:
        if self.down:
            raise TemporaryError(Code.STO_UNAVAILABLE, "down")
        await self._behind.put(row)


async def test_what_storage_does_not_take_is_kept_for_the_next_look() -> None:
    stage = Stage()
    shut = Shut(stage.store.outages)
    stage.store = replace(stage.store, outages=shut)
    await stage.start()
    shut.down = True
    await stage.go(2, "refused")
    await stage.go(2)
    assert await stage.spans() == []
    shut.down = False
    await stage.go(1)
    (span,) = await stage.spans()
    assert span[1] is not None
    await stage.stop()
