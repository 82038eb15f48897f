"""One connection of a listener: whoever does not come to the point, or speaks without end, does not keep it from others.

The library itself bounds only the time between a response and the first byte of the next request. It takes any number of
connections, and each is an open file of a process that needs files for its databases and its connections to nodes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
    """Closed when a request's head has not come within the keep-alive time, from the beginning and after each response on.

    Of more than `most` connections of one listener the one is closed that has been waited for longest: for its request, or for
    its caller to take what it asked for. Who comes to the point is not hindered by however many others who do not.
    """

    def __init__(self, *arguments: Any, most: int, arrived: Callable[[int], None], **more: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(*arguments, **more)
        self._most = most
        self._arrived = arrived
        self._waited_since = self.loop.time()
        self._stuck_since: float | None = None
        self._part = _Part.BETWEEN
        self._head_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request from now on; make room for it where there is none."""
        super().connection_made(transport)
        self._arrived(transport.get_extra_info("socket").fileno())
        self._wait()
        if len(self.connections) > self._most:
            others = [one for one in self.connections if isinstance(one, Connection) and one is not self and one.is_waited_for]
            given_up = min(others, key=lambda one: one._waited_since, default=self)  # noqa: SLF001 - of its own class
            self.connections.discard(given_up)  # it is gone a moment later only, and many may come at once
            given_up.transport.abort()  # not flushed before: that is what some of them wait for

    @property
    def is_waited_for(self) -> bool:
        """Whether it is its caller's turn: the request has not come as a whole, or nothing of the answer is taken any more."""
        if self._stuck_since is not None:
            return self.loop.time() - self._stuck_since > self.timeout_keep_alive
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def pause_writing(self) -> None:
        """The caller does not take what is sent to it."""
        self._stuck_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._stuck_since = None
        super().resume_writing()

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
        self._waited_since = self.loop.time()
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
