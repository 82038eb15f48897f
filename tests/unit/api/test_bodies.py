from __future__ import annotations

from typing import Any

import pytest
from fastapi import Request
from starlette.exceptions import HTTPException

from escalator.api.bodies import read_body
from escalator.model.errors import InputError


class Caller:
    """Sends the same chunk again and again, and counts how often it was asked to."""

    def __init__(self, chunk: bytes, times: int) -> None:
        self._chunk = chunk
        self._left = times
        self.sent = 0

    async def receive(self) -> dict[str, Any]:
        self.sent += 1
        self._left -= 1
        return {"type": "http.request", "body": self._chunk, "more_body": self._left > 0}

    def request(self, *headers: tuple[bytes, bytes]) -> Request:
        return Request({"type": "http", "method": "PUT", "headers": headers}, self.receive)


async def test_a_body_up_to_the_limit_is_read_whole():
    assert await read_body(Caller(b"ab", 5).request(), 10) == b"ababababab"


async def test_no_more_is_read_than_shows_that_a_body_is_too_large():
    caller = Caller(b"x" * 10, 1_000_000)
    with pytest.raises(InputError) as caught:
        await read_body(caller.request(), 25)
    assert caught.value.code.value == "ESC-API-004"
    assert caller.sent == 3


@pytest.mark.parametrize("announced", [b"26", b"9" * 5000])
async def test_nothing_is_read_of_a_body_that_is_announced_too_large(announced: bytes):
    caller = Caller(b"x", 26)
    with pytest.raises(InputError):
        await read_body(caller.request((b"content-length", announced)), 25)
    assert caller.sent == 0


@pytest.mark.parametrize("announced", [b"-1", b"1e9", b"", "²".encode("latin-1")])
async def test_an_announcement_that_is_no_number_changes_nothing(announced: bytes):
    assert await read_body(Caller(b"x", 3).request((b"content-length", announced)), 25) == b"xxx"


async def test_a_caller_that_goes_away_in_the_middle_is_no_error_of_the_servers():
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(HTTPException) as caught:
        await read_body(Request({"type": "http", "method": "PUT", "headers": ()}, gone), 10)
    assert caught.value.status_code == 400
