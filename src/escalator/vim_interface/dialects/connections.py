"""Connections to VNF managers: made when needed, without TLS kept for a moment for the next request to the same host.

No proxies, no redirects, no cookies, no packed contents.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from socket import AddressFamily
from types import SimpleNamespace
from typing import cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from escalator.vim_interface.hosts import is_forbidden

IDLE_S = 1.0
"""Many servers close an idle connection after five seconds, and a request must not meet that. It also bounds how many idle
ones there are: no more than notices go out in that time."""
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "escalator"}
_REFUSED = "it leads to a link-local, multicast or unspecified address"
_BREAKS = frozenset("\r\n\0")


class AddressError(ValueError):
    """An address cannot be used; the text says why, after a colon."""


class NoAnswerError(ConnectionError):
    """There is no connection, it ended before the answer did, or what came is none by HTTP/1.1."""


@dataclass(slots=True)
class Progress:
    """How far a request came, for who does not wait for its end."""

    sent: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent but for its connection."""

    method: str
    uri: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    most: int
    """Bytes of the answer's content that are read."""
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. The content may be cut off where it is longer than asked for."""

    status: int
    body: bytes
    following: str | None
    """Where a list goes on (RFC 8288, with the relation `next`)."""


class Connections:
    """Connections that trust, and show, what the TLS context says."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._under_way = 0
        self._ends = False

    async def exchange(self, request: Request) -> Answer:
        """Send a request and return the answer, whatever its status.

        A request that a kept connection swallows is sent once more, on another one: a notice that comes twice has the same id.
        Raises AddressError; NoAnswerError, whose causes say why; and ssl.SSLError, when our certificate is refused.
        """
        url = _url(request)
        self._under_way += 1
        try:
            return await self._repeated(request, url)
        except aiohttp.InvalidURL as error:
            raise AddressError("it is no valid address") from error
        except aiohttp.ClientError as error:
            raise NoAnswerError from error
        finally:
            self._under_way -= 1
            if self._ends and not self._under_way:
                await self.aclose()

    async def retire(self) -> None:
        """Close the connections as soon as no request is under way: others have taken their place."""
        self._ends = True
        if not self._under_way:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def _repeated(self, request: Request, url: URL) -> Answer:
        seen = SimpleNamespace(kept=False, progress=request.progress)
        try:
            return await self._once(request, url, seen)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not seen.kept:
                raise
        return await self._once(request, url, seen)

    async def _once(self, request: Request, url: URL, seen: SimpleNamespace) -> Answer:
        async with self._open(tls=url.scheme == "https").request(
            request.method, url, headers=request.headers, data=request.body, allow_redirects=False, trace_request_ctx=seen
        ) as response:
            content = bytearray()
            async for piece in response.content.iter_any():
                content += piece
                if len(content) > request.most:
                    response.close()
                    break
            return Answer(response.status, bytes(content), _following(response))

    def _open(self, *, tls: bool) -> aiohttp.ClientSession:
        if tls not in self._sessions:
            self._sessions[tls] = aiohttp.ClientSession(
                connector=self._connector(tls=tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers=_HEADERS,
                skip_auto_headers=["Content-Type"],
                timeout=aiohttp.ClientTimeout(),  # none: whoever asks has one for the whole exchange
                trace_configs=[_tracing()],
            )
        return self._sessions[tls]

    def _connector(self, *, tls: bool) -> aiohttp.TCPConnector:
        if tls:  # not kept: whose certificate has ended meanwhile, or is of another authority, is told nothing more
            return aiohttp.TCPConnector(resolver=_Resolver(), use_dns_cache=False, limit=0, ssl=self._context, force_close=True)
        return aiohttp.TCPConnector(resolver=_Resolver(), use_dns_cache=False, limit=0, keepalive_timeout=IDLE_S)


class _Resolver(AbstractResolver):
    """Names are looked up for each connection; none of the addresses may be one that is refused to everybody."""

    def __init__(self) -> None:
        self._system = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_UNSPEC) -> list[ResolveResult]:
        """The numeric addresses of a host. Raises AddressError, OSError."""
        try:
            found = await self._system.resolve(host, port, family)
        except UnicodeError as error:  # a part of the name is longer than parts of names are
            raise AddressError("it is no valid address") from error
        if any(is_forbidden(one["host"]) for one in found):
            raise AddressError(_REFUSED)
        return found

    async def close(self) -> None:
        """Nothing is open."""
        await self._system.close()


def _following(response: aiohttp.ClientResponse) -> str | None:
    try:
        link = response.links.get("next")
    except ValueError as error:
        raise AddressError("it leads to what is no valid address") from error
    return None if link is None else str(link["url"])


def _tracing() -> aiohttp.TraceConfig:
    """Puts down in a request's own record that it went out, and that it did so on a kept connection."""
    tracing = aiohttp.TraceConfig()

    async def note(_: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceConnectionReuseconnParams) -> None:
        cast("SimpleNamespace", context.trace_request_ctx).kept = True

    async def out(_: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams) -> None:
        cast("SimpleNamespace", context.trace_request_ctx).progress.sent = True

    tracing.on_connection_reuseconn.append(note)
    tracing.on_request_headers_sent.append(out)
    return tracing


def _url(request: Request) -> URL:
    """Where the request goes. Raises AddressError when it cannot go there, or would carry more than its fields."""
    try:
        url = URL(request.uri)
        host = url.host
    except ValueError as error:
        raise AddressError("it is no valid address") from error
    if url.scheme not in ("http", "https"):
        raise AddressError("it is neither http nor https")
    if not host:
        raise AddressError("it has no host")
    if is_forbidden(host):
        raise AddressError(_REFUSED)
    if any(_BREAKS & {*name, *value} for name, value in request.headers.items()):
        raise AddressError("what would be sent there is no header field")
    return url
