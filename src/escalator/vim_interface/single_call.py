"""One HTTP request on a connection of its own: to what is asked now and then, or is to show that it can be reached at all.

TLS is verified against the machine's trust store. No proxies, no redirects, no cookies, no packed contents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from escalator.vim_interface.trust_store import trusted

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "escalator"}


class NoAnswerError(ConnectionError):
    """There is no connection, it ended before the answer did, what came is no HTTP, or the address is none; the text says why."""


class TooLargeError(Exception):
    """The answer's content is larger than asked for."""


async def call(
    method: str, url: str, headers: Mapping[str, str], content: bytes | None, *, most_bytes: int, timeout_s: float
) -> tuple[int, bytes]:
    """Send a request and return the answer's status and content.

    Raises NoAnswerError, TimeoutError when the whole answer is not there within `timeout_s`, and TooLargeError when its
    content has more than `most_bytes` bytes.
    """
    async with _answer(method, url, headers, content, timeout_s) as response:
        read = bytearray()
        async for piece in response.content.iter_any():
            read += piece
            if len(read) > most_bytes:
                raise TooLargeError
        return response.status, bytes(read)


async def status_of(url: str, *, timeout_s: float) -> int:
    """Get a page for nothing but its status; its content may be as large as it likes. Raises as `call` does."""
    async with _answer("GET", url, {}, None, timeout_s) as response:
        return response.status


@asynccontextmanager
async def _answer(
    method: str, url: str, headers: Mapping[str, str], content: bytes | None, timeout_s: float
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer, of which the content is still to be read."""
    try:
        async with (
            asyncio.timeout(timeout_s),
            _session() as session,
            session.request(method, url, headers=headers, data=content, allow_redirects=False) as response,
        ):
            yield response
    except TimeoutError:
        raise
    except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: of an address, a name or a header field
        raise NoAnswerError(str(error)[:200] or type(error).__name__) from error


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), ssl=trusted(), force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=_HEADERS,
        skip_auto_headers=["Content-Type"],
        timeout=aiohttp.ClientTimeout(),  # none: the whole of it has one
    )
