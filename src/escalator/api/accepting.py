"""A listening socket that keeps few who do not come to speak HTTP at all: a TLS handshake may take a minute, and costs a file."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any


class Accepting(socket.socket):
    """Takes the place of a listening socket.

    Of more than `most` connections that have not arrived yet the oldest is ended. Who is told of them calls `arrived`.
    """

    def __init__(self, listening: socket.socket, most: int) -> None:
        super().__init__(fileno=listening.detach())
        self._most = most
        self._coming: dict[int, socket.socket] = {}

    def accept(self) -> tuple[socket.socket, Any]:
        """Take the next connection."""
        connection, address = super().accept()
        self._coming.pop(connection.fileno(), None)  # of one that was closed since
        self._coming[connection.fileno()] = connection
        if len(self._coming) > self._most:
            self._coming = {number: one for number, one in self._coming.items() if one.fileno() == number}
            if len(self._coming) > self._most:
                oldest = self._coming.pop(next(iter(self._coming)))
                # Not closed here: whoever waits for it sees that it has ended, and closes it.
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
        return connection, address

    def arrived(self, connection: int) -> None:
        """The connection of that file number speaks HTTP from now on."""
        self._coming.pop(connection, None)
