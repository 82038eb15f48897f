"""Callers that do not come to the point, or send headers without end, lose their connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI, Request

from escalator.api.bodies import read_body
from escalator.api.connections import MAX_HEAD_BYTES
from escalator.api.listener import listener_config

IDLE_S = 0.2
PATIENCE_S = 10.0
HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def _connected(idle_s: float = IDLE_S) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    app = FastAPI()

    @app.put("/")
    async def put(request: Request) -> int:
        return len(await read_body(request, 1000))

    @app.get("/slow")
    async def slow() -> int:
        await asyncio.sleep(IDLE_S * 3)
        return 1

    server = uvicorn.Server(listener_config(app, idle_s=idle_s))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
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
