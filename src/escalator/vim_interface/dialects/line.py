"""A connection by HTTP/1.1 (RFC 9112) to a VNF manager: one request at a time, and of its answer no more than is asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import httptools

MAX_HEAD_BYTES = 64 * 1024
"""Status line and header fields of an answer, and what frames its content."""
_INTERIM = range(102, 200)
_CONTINUE = 100


class NoAnswerError(ConnectionError):
    """What came is no answer by HTTP/1.1, or only the beginning of one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. Names of fields are in lower case; the content may be cut off where it is longer than asked for."""

    status: int
    fields: Mapping[str, str]
    body: bytes

    def following(self) -> str | None:
        """Where a list goes on, as the answer says it (RFC 8288, with the relation `next`)."""
        for link in re.split(r",\s*(?=<)", self.fields.get("link", "")):
            uri, _, parameters = link.strip().removeprefix("<").partition(">")
            for parameter in parameters.split(";"):
                name, _, value = parameter.partition("=")
                if name.strip().lower() == "rel" and "next" in value.strip(" \"'").lower().split():
                    return uri
        return None


class Line(asyncio.Protocol):
    """One connection. `is_usable` tells whether it takes another request."""

    def __init__(self) -> None:
        self.is_usable = True
        self.heard = False
        """Whether anything came since the last request went out."""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._most = 0
        self._forget()

    async def exchange(self, request: bytes, most: int) -> Answer:
        """Send the request, and return its answer with `most` bytes of content and what came in the same piece.

        Raises OSError when the connection ends before the answer does. Who stops waiting ends the connection.
        """
        if self._transport is None or not self.is_usable:
            raise ConnectionResetError
        self._forget()
        self.heard, self._most = False, most
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.is_usable = False
            self._transport.abort()
            raise
        finally:
            self._answer = None

    def end(self) -> None:
        """Close the connection."""
        self.is_usable = False
        if self._transport is not None:
            self._transport.close()

    # -- called by the event loop ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A piece came."""
        if self._answer is None or self._answer.done():
            self.end()  # nobody asked for it: what follows could be taken for the answer to the next request
            return
        self.heard = True
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(NoAnswerError())
            return
        if self._is_enough():
            if self._fields_complete:
                self._finish(keeps=False)
            else:
                self._fail(NoAnswerError())

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended; an answer whose length was not said ends with it."""
        self.is_usable = False
        if exc is None and self._fields_complete and not self._is_framed():
            self._finish(keeps=False)
        else:
            self._fail(exc or NoAnswerError())

    # -- called by the parser --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins: a second one was not asked for."""
        if self._answer is None or self._answer.done():
            self.is_usable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field; several of a name are one list (RFC 9110, 5.3)."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._fields[key] = f"{self._fields[key]}, {text}" if key in self._fields else text

    def on_headers_complete(self) -> None:
        """The content follows, if there is any."""
        self._fields_complete = not self._is_interim()

    def on_body(self, body: bytes) -> None:
        """A piece of the content."""
        self._body += body

    def on_message_complete(self) -> None:
        """The answer is complete, or one that only says that another follows (RFC 9110, 15.2)."""
        if self._is_interim():
            self._fields.clear()
        else:
            self._finish(keeps=self._parser.should_keep_alive())

    def _is_interim(self) -> bool:
        status = self._parser.get_status_code()
        return status == _CONTINUE or status in _INTERIM

    def _is_framed(self) -> bool:
        return "content-length" in self._fields or "transfer-encoding" in self._fields

    def _is_enough(self) -> bool:
        """Whether the rest is not read: there is more content than asked for, or no end of what is around it."""
        around = MAX_HEAD_BYTES + (2 * self._most if self._fields_complete else 0)
        return len(self._body) > self._most or self._received > around

    def _forget(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._fields: dict[str, str] = {}
        self._fields_complete = False
        self._body = bytearray()
        self._received = 0

    def _finish(self, *, keeps: bool) -> None:
        if self._answer is None or self._answer.done():
            return
        # A request of which a part still waits to be sent was answered too early to be followed by another one.
        if not keeps or self._transport is None or self._transport.get_write_buffer_size():
            self.end()
        self._answer.set_result(Answer(self._parser.get_status_code(), self._fields, bytes(self._body)))

    def _fail(self, error: Exception) -> None:
        self.end()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
