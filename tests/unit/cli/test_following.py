"""Lines of a stream that ends now and then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import pytest

from escalator.cli.following import Line, beyond_restarts
from escalator.cli.watch import PATIENCE
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError

AWAY = TemporaryError(Code.API_UNREACHABLE, "No server answers.")


class Server:
    """Gives what is scripted for each call: numbers of lines, and how the stream ends."""

    def __init__(self, *calls: Sequence[int | Exception]) -> None:
        self._calls = iter(calls)
        self.asked: list[int | None] = []
        self.said: list[str] = []
        self.slept = 0.0

    def stream(self, last: int | None) -> Iterator[Line]:
        self.asked.append(last)
        for one in next(self._calls):
            if isinstance(one, Exception):
                raise one
            yield {"seq": one}

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def lines(self) -> Iterator[int]:
        return (line["seq"] for line in beyond_restarts(self.stream, self.said.append, self.sleep))


def test_each_stream_begins_where_the_last_one_ended() -> None:
    server = Server([4, 5], [AWAY], [AWAY], [], [6, AWAY], [9])
    assert list(islice(server.lines(), 4)) == [4, 5, 6, 9]
    assert server.asked == [None, 5, 5, 5, 5, 6]
    assert server.said == [
        "The server ended the stream; asking again.\n",
        "No server answers. Asking again.\n",
        "The server ended the stream; asking again.\n",
        "No server answers. Asking again.\n",
    ]


def test_patience_ends_and_a_line_renews_it() -> None:
    server = Server([1], *[[AWAY]] * PATIENCE, [2], *[[AWAY]] * (PATIENCE + 1))
    lines = server.lines()
    assert (next(lines), next(lines)) == (1, 2)
    with pytest.raises(TemporaryError, match="No server answers"):
        next(lines)
    assert server.slept == 2 * PATIENCE + 2
