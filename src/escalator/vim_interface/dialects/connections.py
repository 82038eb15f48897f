"""Connections to VNF managers: made when needed, and those without TLS kept for a while for the next request to the same host.

By TLS the certificate that is shown now is judged for each request: one that has ended, or is another's, is known at once.
No proxies, no redirects, no cookies. A general client costs several times as much processor time for each notice.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from socket import SOCK_STREAM
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from escalator.vim_interface.dialects.line import Answer, Line
from escalator.vim_interface.hosts import is_forbidden

MAX_IDLE = 128
"""Connections kept while nothing is to be said; beyond, the one that was idle longest is closed."""
IDLE_S = 4.0
"""Many servers close an idle connection after five seconds; a request must not meet that."""
MAX_AGE_S = 60.0
"""No connection is used longer: then the name is looked up again."""
ATTEMPT_S = 5.0
"""For each address of a host but the last."""
TLS_CLOSING_S = 1.0
_PORTS = {"http": 80, "https": 443}
_IN_PATHS = "/%:@!$&'()*+,;=~"
_IN_QUERIES = _IN_PATHS + "?[]"
_DEFAULTS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "escalator"}


class AddressError(ValueError):
    """An address cannot be used; the text says why, after a colon."""


class Origin(NamedTuple):
    """What a connection leads to."""

    tls: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent but for its connection."""

    method: str
    uri: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    most: int
    """Bytes of the answer's content that are read."""


@dataclass(frozen=True, slots=True)
class _Kept:
    line: Line
    origin: Origin
    made_at: float
    idle_since: float = 0.0


class Connections:
    """Connections that trust, and show, what the TLS context says. Times are those of the event loop, seconds."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._closed = False
        self._idle: OrderedDict[Line, _Kept] = OrderedDict()
        self._by_origin: dict[Origin, list[Line]] = {}
        self._alarm: asyncio.TimerHandle | None = None

    async def exchange(self, request: Request) -> Answer:
        """Send a request and return the answer, whatever its status.

        A kept connection that ends before a word came is replaced by a new one, once: whoever calls repeats a request that
        got no answer anyway. Raises AddressError, OSError (ssl.SSLError among them) when there is no connection or it ends.
        """
        origin, host, target = _parts(request.uri)
        content = _text(request, host, target)
        kept = self._take(origin)
        if kept is not None:
            try:
                return await self._on(kept, content, request.most)
            except OSError:
                if kept.line.heard:
                    raise
        now = asyncio.get_running_loop().time()
        return await self._on(_Kept(await self._connect(origin), origin, now), content, request.most)

    async def aclose(self) -> None:
        """Close the connections that are not in use, and keep none from now on."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        for kept in list(self._idle.values()):
            self._drop(kept)

    async def _on(self, kept: _Kept, content: bytes, most: int) -> Answer:
        answer = await kept.line.exchange(content, most)
        now = asyncio.get_running_loop().time()
        may_stay = not kept.origin.tls and not self._closed and now - kept.made_at < MAX_AGE_S
        if may_stay and kept.line.is_usable:
            self._keep(_Kept(kept.line, kept.origin, kept.made_at, now))
        else:
            kept.line.end()
        return answer

    async def _connect(self, origin: Origin) -> Line:
        addresses = await _addresses(origin)
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    return await self._connect_to(address, origin)
            except ssl.SSLError:
                raise
            except OSError:  # the time-out among them
                continue
        return await self._connect_to(addresses[-1], origin)

    async def _connect_to(self, address: str, origin: Origin) -> Line:
        loop = asyncio.get_running_loop()
        if not origin.tls:
            return (await loop.create_connection(Line, address, origin.port))[1]
        # Certificates are for the name, not for the address that it has now.
        tls, closing_s = self._context, TLS_CLOSING_S
        made = loop.create_connection(
            Line, address, origin.port, ssl=tls, server_hostname=origin.host, ssl_shutdown_timeout=closing_s
        )
        return (await made)[1]

    # -- those that are not in use ---------------------------------------------------------------------------------

    def _take(self, origin: Origin) -> _Kept | None:
        """The connection used last: the others may end."""
        while lines := self._by_origin.get(origin):
            kept = self._idle[lines[-1]]
            self._forget(kept)
            if kept.line.is_usable:
                return kept
        return None

    def _keep(self, kept: _Kept) -> None:
        self._idle[kept.line] = kept
        self._by_origin.setdefault(kept.origin, []).append(kept.line)
        if len(self._idle) > MAX_IDLE:
            self._drop(next(iter(self._idle.values())))
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(IDLE_S, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() - IDLE_S
        while self._idle and (oldest := next(iter(self._idle.values()))).idle_since <= until:
            self._drop(oldest)
        following = next(iter(self._idle.values()), None)
        self._alarm = None if following is None else loop.call_at(following.idle_since + IDLE_S, self._sweep)

    def _drop(self, kept: _Kept) -> None:
        self._forget(kept)
        kept.line.end()

    def _forget(self, kept: _Kept) -> None:
        del self._idle[kept.line]
        lines = self._by_origin[kept.origin]
        lines.remove(kept.line)
        if not lines:
            del self._by_origin[kept.origin]


async def _addresses(origin: Origin) -> list[str]:
    """The numeric addresses of a host, looked up now; none of them may be one that is refused to everybody."""
    try:
        found = [str(ipaddress.ip_address(origin.host))]
    except ValueError:
        loop = asyncio.get_running_loop()
        found = [str(info[4][0]) for info in await loop.getaddrinfo(origin.host, origin.port, type=SOCK_STREAM)]
    if any(map(is_forbidden, found)):
        raise AddressError("it leads to a link-local, multicast or unspecified address")
    return list(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def _parts(uri: str) -> tuple[Origin, str, str]:
    """Where a request goes: the connection, the `Host` field, and the target (RFC 9112, 3.2.1)."""
    try:
        parts = urlsplit(uri)
        port = parts.port or _PORTS[parts.scheme]
        host = parts.hostname or ""
        host = host if ":" in host else host.encode("idna").decode()
    except KeyError:
        raise AddressError("it is neither http nor https") from None
    except ValueError as error:  # that of a name which is none among them
        raise AddressError("it is no valid address") from error
    if not host or not host.isprintable() or " " in host:
        raise AddressError("it has no host")
    shown = f"[{host}]" if ":" in host else host
    named = shown if port == _PORTS[parts.scheme] else f"{shown}:{port}"
    path = quote(parts.path, safe=_IN_PATHS) or "/"
    target = f"{path}?{quote(parts.query, safe=_IN_QUERIES)}" if parts.query else path
    return Origin(parts.scheme == "https", host, port), named, target


def _text(request: Request, host: str, target: str) -> bytes:
    fields = {"Host": host, **_DEFAULTS, **request.headers}
    if request.body is not None or request.method not in ("GET", "DELETE"):
        fields["Content-Length"] = str(len(request.body or b""))
    head = "\r\n".join((f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())))
    if "\0" in head or head.count("\n") != len(fields) or head.count("\r") != len(fields):
        raise AddressError("what would be sent there is no header field")
    return head.encode() + b"\r\n\r\n" + (request.body or b"")
