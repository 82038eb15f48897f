"""Callers that do not come to the point, or send headers without end, lose their connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from beds.vnfm.authority import Authority
from escalator.api.accepting import Accepting
from escalator.api.bodies import read_body
from escalator.api.connections import MAX_HEAD_BYTES
from escalator.api.listener import listener_config
from escalator.api.listener_tls import listener_context
from escalator.settings import ListenerTls

IDLE_S = 0.2
PATIENCE_S = 10.0
LARGE_BYTES = 64 * 2**20
"""More than the system's buffers hold."""
HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def _connected(idle_s: float = IDLE_S) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with _listening(idle_s) as address:
        reader, writer = await asyncio.open_connection(*address)
        try:
            yield reader, writer
        finally:
            writer.close()


@asynccontextmanager
async def _listening(idle_s: float, most: int = 100, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, int]]:
    app = FastAPI()

    @app.put("/")
    async def put(request: Request) -> int:
        return len(await read_body(request, 1000))

    @app.get("/slow")
    async def slow() -> int:
        await asyncio.sleep(IDLE_S * 3)
        return 1

    @app.get("/large")
    async def large() -> Response:
        return Response(bytes(LARGE_BYTES))

    with Accepting(socket.create_server(("127.0.0.1", 0)), most) as listener:
        server = uvicorn.Server(listener_config(app, tls, idle_s=idle_s, most=most, arrived=listener.arrived))
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            await task


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed."""
    async with asyncio.timeout(PATIENCE_S):
        return await reader.read()


@pytest.mark.parametrize("sent", [b"", b"PU", HEAD, HEAD + b"X-Long: " + b"x" * 1000])
async def test_a_request_whose_head_does_not_come_is_not_waited_for(sent: bytes) -> None:
    async with _connected() as (reader, writer):
        writer.write(sent)
        assert await _rest(reader) == b""


async def test_nor_is_the_head_of_the_second_one() -> None:
    async with _connected() as (reader, writer):
        writer.write(HEAD + b"Content-Length: 2\r\n\r\nab" + HEAD)
        assert (await _rest(reader)).count(b"HTTP/1.1 200") == 1


async def test_a_body_may_take_longer() -> None:
    async with _connected() as (reader, writer):
        writer.write(HEAD + b"Content-Length: 2\r\n\r\na")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(IDLE_S * 3):
                await reader.read(1)
        writer.write(b"b")
        assert (await _rest(reader)).startswith(b"HTTP/1.1 200")


async def test_headers_without_end_are_refused() -> None:
    async with _connected(idle_s=60.0) as (reader, writer):
        line = b"X-Long: " + b"x" * 1000 + b"\r\n"
        writer.write((HEAD + line * (MAX_HEAD_BYTES // 1000))[: MAX_HEAD_BYTES + 1])
        assert (await _rest(reader)).startswith(b"HTTP/1.1 431 ")


async def test_requests_that_come_together_are_all_answered() -> None:
    async with _connected() as (reader, writer):
        writer.write((HEAD + b"Content-Length: 2\r\n\r\nab") * 5)
        assert (await _rest(reader)).count(b"HTTP/1.1 200") == 5


async def test_an_answer_may_take_longer_than_a_request() -> None:
    async with _connected() as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await _rest(reader)).startswith(b"HTTP/1.1 200")


WITHOUT_END = [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\n12", b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nPUT"]
"""What does not come to its end, or is answered and followed by that."""
WHOLE = HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n12"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@contextmanager
def _callers(address: tuple[str, int], sent: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Connections that have sent that and are left alone."""
    with ExitStack() as opened:
        callers = [opened.enter_context(socket.create_connection(address)) for _ in range(count)]
        for caller in callers:
            caller.sendall(sent)
        yield callers


def _is_closed(caller: socket.socket) -> bool:
    caller.setblocking(False)
    try:
        while caller.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


async def _answer(address: tuple[str, int], sent: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """What is answered; nothing where the connection is closed without an answer."""
    reader, writer = await asyncio.open_connection(*address, ssl=tls)
    try:
        writer.write(sent)
        return (await _rest(reader)).rpartition(b"\r\n\r\n")[2]
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("sent", WITHOUT_END)
async def test_however_many_do_not_come_to_the_point_others_are_heard(sent: bytes) -> None:
    async with _listening(PATIENCE_S, most=20) as address:
        with _callers(address, sent, 60) as callers:
            assert await _answer(address, WHOLE) == b"2"
            assert sum(map(_is_closed, callers)) == 41


async def test_a_request_that_is_worked_on_is_not_given_up_for_others() -> None:
    async with _listening(PATIENCE_S, most=1) as address:
        first = asyncio.create_task(_answer(address, SLOW))
        await asyncio.sleep(IDLE_S)
        assert await _answer(address, WHOLE) == b""
        assert await first == b"1"


async def test_who_takes_nothing_of_its_answer_makes_room_for_others() -> None:
    async with _listening(IDLE_S, most=1) as address:
        with _callers(address, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", 1):
            until = asyncio.get_running_loop().time() + PATIENCE_S
            # Each look asks the server, which takes a while.
            while (answer := await _answer(address, WHOLE)) == b"" and asyncio.get_running_loop().time() < until:
                pass
            assert answer == b"2"


async def test_however_many_begin_no_tls_others_are_heard(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = listener_context("vnfm", ListenerTls(certificate=str(authority.issue("listener"))))
    asking = ssl.create_default_context(cafile=str(authority.file))
    async with _listening(PATIENCE_S, 20, tls) as address:
        with _callers(address, b"\x16\x03\x01", 60) as callers:
            for _ in range(30):
                assert await _answer(address, WHOLE, asking) == b"2"
            assert sum(map(_is_closed, callers)) >= 40
