"""Following the history beyond the server's restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from escalator.cli.watch import LOOK_S, PATIENCE
from escalator.model.errors import TemporaryError

Line = Mapping[str, Any]


def beyond_restarts(
    stream: Callable[[int | None], Iterator[Line]], say: Callable[[str], object], sleep: Callable[[float], None] = time.sleep
) -> Iterator[Line]:
    """The lines of a stream, and of those that take its place when it ends.

    `stream` gives the lines after that sequence number; with None, those asked for. Raises TemporaryError when nobody has
    answered so many times in a row as a restart may take.
    """
    last: int | None = None
    failed = 0
    while True:
        try:
            for line in stream(last):
                last, failed = line["seq"], 0
                yield line
            say("The server ended the stream; asking again.\n")
            failed = 0
        except TemporaryError as error:
            failed += 1
            if failed > PATIENCE:
                raise
            if failed == 1:
                say(f"{error.message} Asking again.\n")
        sleep(LOOK_S)
