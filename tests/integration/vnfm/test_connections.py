"""Connections to VNF managers that answer in every way HTTP/1.1 allows, and in some that it does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from escalator.vim_interface.dialects import connections
from escalator.vim_interface.dialects.connections import AddressError, Connections, NoAnswerError, Request

MAX_HEAD_BYTES = 64 * 1024
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Peer:
    """Answers each request with the next of its answers; the last one again and again. `None` closes without a word."""

    def __init__(self, *answers: bytes | None, closes: bool = False) -> None:
        self.answers = list(answers)
        self.closes = closes
        self.heard: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.changed = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []
        self.uri = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
                self.heard.append(head + await reader.readexactly(int(length.partition(b":")[2])))
                self.changed.set()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.open -= 1
            self.changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def serving() -> AsyncIterator[Callable[..., Any]]:
    servers: list[asyncio.Server] = []

    async def start(*answers: bytes | None, closes: bool = False) -> Peer:
        peer = Peer(*answers, closes=closes)
        server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
        servers.append(server)
        peer.uri = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return peer

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def kept() -> AsyncIterator[Connections]:
    opened = Connections(ssl.create_default_context())
    yield opened
    await opened.aclose()


def post(uri: str, *, most: int = 1000, body: bytes | None = b"{}", **headers: str) -> Request:
    return Request("POST", uri, headers, body, most)


async def test_what_is_sent_is_one_request_with_its_length(serving: Any, kept: Connections):
    peer = await serving(NO_CONTENT)
    await kept.exchange(post(f"{peer.uri}/a b?c=ä%20d#e", body=b'{"a": 1}', Version="1.0.0"))
    head, _, body = peer.heard[0].partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    assert first == "POST /a%20b?c=%C3%A4%20d HTTP/1.1"
    assert sorted(fields) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        "Content-Length: 8",
        f"Host: {peer.uri.removeprefix('http://')}",
        "User-Agent: escalator",
        "Version: 1.0.0",
    ]
    assert body == b'{"a": 1}'


async def test_a_connection_is_used_again_and_several_at_once_have_one_each(serving: Any, kept: Connections):
    peer = await serving(NO_CONTENT)
    for _ in range(3):
        assert (await kept.exchange(post(peer.uri))).status == 204
    assert peer.connections == 1
    await asyncio.gather(*(kept.exchange(post(peer.uri)) for _ in range(3)))
    assert (len(peer.heard), peer.connections) == (6, 3)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\n" + NO_CONTENT, b""),
    ],
)
async def test_an_answer_whose_end_is_known_keeps_its_connection(serving: Any, kept: Connections, answer: bytes, body: bytes):
    peer = await serving(answer)
    for _ in range(2):
        assert (await kept.exchange(post(peer.uri))).body == body
    assert peer.connections == 1


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\n\r\nhello", b"HTTP/1.0 200 OK\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"],
)
async def test_an_answer_may_end_with_its_connection(serving: Any, kept: Connections, answer: bytes):
    peer = await serving(answer, closes=True)
    for _ in range(2):
        assert (await kept.exchange(post(peer.uri))).body == b"hello"
    assert peer.connections == 2


async def test_another_protocol_is_not_spoken(serving: Any, kept: Connections):
    peer = await serving(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", closes=True)
    assert (await kept.exchange(post(peer.uri))).status == 101
    await peer.until(lambda: peer.open == 0)


async def test_a_server_that_wants_no_more_requests_gets_none_on_that_connection(serving: Any, kept: Connections):
    peer = await serving(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    for _ in range(2):
        await kept.exchange(post(peer.uri))
    await peer.until(lambda: peer.open == 0)
    assert peer.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 2 * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * MAX_HEAD_BYTES,
        b"HTTP/1.1 100 Continue\r\n\r\n" * MAX_HEAD_BYTES,
    ],
)
async def test_what_is_no_whole_answer_is_none(serving: Any, kept: Connections, answer: bytes):
    peer = await serving(answer, closes=True)
    with pytest.raises(NoAnswerError):
        await kept.exchange(post(peer.uri))
    await peer.until(lambda: peer.open == 0)


async def test_of_content_without_an_end_no_more_is_read_than_asked_for(serving: Any, kept: Connections):
    peer = await serving(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1_000_000)
    answer = await kept.exchange(post(peer.uri, most=1000))
    assert (answer.status, set(answer.body)) == (200, {ord("x")})
    assert len(answer.body) < 500_000
    await peer.until(lambda: peer.open == 0)


@pytest.mark.parametrize(
    ("said", "following"),
    [
        ('<http://vnfm/2?a,b>; rel="next"', "http://vnfm/2?a,b"),
        ("</1>; rel=prev, </2> ; title=x; rel=next", "/2"),
        ("</1>; rel=nexts", None),
        ("", None),
    ],
)
async def test_where_a_list_goes_on(serving: Any, kept: Connections, said: str, following: str | None):
    peer = await serving(f"HTTP/1.1 204 No Content\r\nLink: {said}\r\n\r\n".encode())
    found = (await kept.exchange(post(peer.uri))).following
    assert found == (f"{peer.uri}{following}" if (following or "").startswith("/") else following)


async def test_who_does_not_listen_is_said_with_the_systems_own_reason(serving: Any, kept: Connections):
    with pytest.raises(NoAnswerError) as caught:
        await kept.exchange(post("http://127.0.0.1:1/"))
    assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorError)
    assert isinstance(caught.value.__cause__.__cause__, ConnectionRefusedError)


async def test_a_link_that_is_no_address_is_said(serving: Any, kept: Connections):
    peer = await serving(b'HTTP/1.1 204 No Content\r\nLink: <http://[bad>; rel="next"\r\n\r\n')
    with pytest.raises(AddressError, match="no valid address"):
        await kept.exchange(post(peer.uri))


async def test_others_take_the_place_of_connections_when_no_request_is_under_way(serving: Any):
    peer, slow = await serving(NO_CONTENT), await serving(b"")
    older = Connections(ssl.create_default_context())
    await older.exchange(post(peer.uri))
    under_way = asyncio.create_task(older.exchange(post(slow.uri)))
    await slow.until(lambda: bool(slow.heard))
    await older.retire()
    assert peer.open == 1
    slow.writers[0].write(NO_CONTENT)
    assert (await under_way).status == 204
    await peer.until(lambda: peer.open == 0)


async def test_a_request_meets_no_connection_that_the_other_side_closed(serving: Any, kept: Connections):
    peer = await serving(NO_CONTENT)
    await kept.exchange(post(peer.uri))
    peer.writers[0].close()
    await peer.until(lambda: peer.open == 0)
    assert (await kept.exchange(post(peer.uri))).status == 204
    assert (len(peer.heard), peer.connections) == (2, 2)


async def test_a_request_that_a_kept_connection_swallows_is_sent_once_more_on_a_new_one(serving: Any, kept: Connections):
    peer = await serving(NO_CONTENT, None, NO_CONTENT)
    await kept.exchange(post(peer.uri))
    assert (await kept.exchange(post(peer.uri))).status == 204
    assert (len(peer.heard), peer.connections) == (3, 2)


@pytest.mark.parametrize(("answers", "sent"), [([None], 1), ([b"HTTP/1.1 20", None], 2), ([None, None], 2)])
async def test_otherwise_a_request_is_not_repeated(serving: Any, kept: Connections, answers: list[bytes | None], sent: int):
    """On a new connection that is for the caller to decide."""
    peer = await serving(NO_CONTENT)
    if answers != [None]:
        await kept.exchange(post(peer.uri))
    peer.answers, peer.closes, peer.heard = answers, True, []
    with pytest.raises(ConnectionError):
        await kept.exchange(post(peer.uri))
    assert len(peer.heard) == sent


async def test_what_comes_unasked_ends_the_connection(serving: Any, kept: Connections):
    peer = await serving(NO_CONTENT + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", NO_CONTENT)
    assert [(await kept.exchange(post(peer.uri))).status for _ in range(2)] == [204, 204]
    assert peer.connections == 2


async def test_who_stops_waiting_ends_the_connection(serving: Any, kept: Connections):
    peer = await serving(b"")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await kept.exchange(post(peer.uri))
    await peer.until(lambda: peer.open == 0)


async def test_idle_connections_end_after_a_while(serving: Any, kept: Connections, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "IDLE_S", 0.05)
    peers = [await serving(NO_CONTENT) for _ in range(2)]
    for peer in peers:
        await kept.exchange(post(peer.uri))
    for peer in peers:
        await peer.until(lambda peer=peer: peer.connections == 1 and peer.open == 0)


async def test_after_the_end_no_connection_is_kept(serving: Any, kept: Connections):
    peer = await serving(NO_CONTENT)
    await kept.exchange(post(peer.uri))
    await kept.aclose()
    await peer.until(lambda: peer.open == 0)
    await kept.exchange(post(peer.uri))
    await peer.until(lambda: peer.open == 0)


@pytest.mark.parametrize("uri", ["ftp://vnfm", "vnfm/path", "http://", "http://[::1", "http://vnfm:99999", "http://" + "a" * 70])
async def test_an_address_that_is_none_is_said(kept: Connections, uri: str):
    with pytest.raises(AddressError):
        await kept.exchange(post(uri))


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nB: c", "a\0"])
async def test_a_value_cannot_become_a_field_of_its_own(serving: Any, kept: Connections, value: str):
    peer = await serving(NO_CONTENT)
    with pytest.raises(AddressError):
        await kept.exchange(post(peer.uri, Authorization=value))
    assert peer.connections == 0


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::a9fe:a9fe", "::ffff:169.254.169.254", "224.0.0.1", "0.0.0.0"])
async def test_a_name_that_leads_to_a_refused_address_is_not_called(
    serving: Any, kept: Connections, monkeypatch: pytest.MonkeyPatch, address: str
):
    """Also when another of its addresses is a good one."""
    peer = await serving(NO_CONTENT)
    port = int(peer.uri.rpartition(":")[2])
    looked_up = ["127.0.0.1"]
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in looked_up]
    )
    uri = f"http://vnfm.example:{port}/"
    assert (await kept.exchange(post(uri))).status == 204
    peer.writers[0].close()
    await peer.until(lambda: peer.open == 0)
    looked_up.append(address)
    with pytest.raises(AddressError, match="link-local"):
        await kept.exchange(post(uri))
    assert peer.connections == 1


async def test_the_next_address_of_a_name_is_tried(serving: Any, kept: Connections, monkeypatch: pytest.MonkeyPatch):
    peer = await serving(NO_CONTENT)
    port = int(peer.uri.rpartition(":")[2])
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.9.9.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert (await kept.exchange(post(f"http://vnfm.example:{port}/"))).status == 204
