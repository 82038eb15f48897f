"""One connection of a listener: whoever does not come to the point, or speaks without end, does not keep it from others.

The library itself bounds only the time between a response and the first byte of the next request.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of a request's line and headers. What has come is held in memory before anybody can refuse it."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _Part(Enum):
    """Where in what a caller sends the connection stands."""

    BETWEEN = auto()
    HEAD = auto()
    BODY = auto()


class Connection(HttpToolsProtocol):
    """Closed when a request's head has not come within the keep-alive time, from the beginning and after each response on."""

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(*arguments, **more)
        self._part = _Part.BETWEEN
        self._head_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request from now on."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head without end is refused."""
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._part is _Part.HEAD else 0
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._part = _Part.HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._part = _Part.BODY
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._part = _Part.BETWEEN
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered: wait for the next one."""
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self._part is not _Part.BODY:
            self.transport.close()
        elif answered:
            self._wait()  # the rest of a body that was refused
