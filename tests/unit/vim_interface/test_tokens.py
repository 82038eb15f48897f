from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beds.vnfm.clocks import SteppedClock
from escalator.model.errors import EscalatorError, TemporaryError
from escalator.vim_interface.accounts import OAuth2
from escalator.vim_interface.dialects.tokens import Tokens

WAY = OAuth2("client", "p:ss wörd", "http://token.example/")


class Endpoint:
    """Gives out numbered tokens that live as long as it says."""

    def __init__(self, clock: SteppedClock, **answer: Any) -> None:
        self.clock = clock
        self.answer = {"token_type": "bearer", **answer}
        self.status = 200
        self.given: list[float] = []
        self.headers: Mapping[str, str] = {}

    async def post(self, uri: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        assert (uri, body) == (WAY.token_endpoint, b"grant_type=client_credentials")
        self.headers = headers
        await asyncio.sleep(0)
        self.given.append(self.clock.now())
        return self.status, json.dumps({"access_token": f"t{len(self.given)}", **self.answer}).encode()


@given(life_s=st.integers(1, 200), steps=st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=20))
def test_a_token_is_used_while_it_is_good_and_never_afterwards(life_s: int, steps: list[tuple[int, bool]]):
    async def run() -> None:
        clock = SteppedClock()
        endpoint, tokens = Endpoint(clock, expires_in=life_s), Tokens(clock)
        last = ""
        for pause_s, refused in steps:
            await clock.advance(pause_s)
            before = len(endpoint.given)
            token = await tokens.token("v", WAY, endpoint.post, refused=last if refused and last else None)
            age_s = clock.now() - endpoint.given[int(token[1:]) - 1]
            assert age_s < life_s
            if refused and last:
                assert token != last
            elif before and clock.now() - endpoint.given[before - 1] < life_s - min(5, life_s / 10):
                assert len(endpoint.given) == before
            last = token

    asyncio.run(run())


async def test_many_deliveries_at_once_fetch_one_token():
    clock = SteppedClock()
    endpoint, tokens = Endpoint(clock, expires_in=60), Tokens(clock)
    assert {*await asyncio.gather(*(tokens.token("v", WAY, endpoint.post) for _ in range(10)))} == {"t1"}
    assert {*await asyncio.gather(*(tokens.token("v", WAY, endpoint.post, refused="t1") for _ in range(10)))} == {"t2"}


async def test_other_credentials_and_other_vnf_managers_have_other_tokens():
    clock = SteppedClock()
    endpoint, tokens = Endpoint(clock, expires_in=60), Tokens(clock)
    assert await tokens.token("v", WAY, endpoint.post) == "t1"
    assert await tokens.token("w", WAY, endpoint.post) == "t2"
    assert await tokens.token("v", OAuth2("client", "changed", WAY.token_endpoint), endpoint.post) == "t3"


async def test_the_client_is_known_by_both_parts_form_encoded():
    clock = SteppedClock()
    endpoint = Endpoint(clock)
    await Tokens(clock).token("v", WAY, endpoint.post)
    scheme, _, pair = endpoint.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair)) == ("Basic", b"client:p%3Ass%20w%C3%B6rd")


@pytest.mark.parametrize("said", [None, "soon", float("nan"), [], "9" * 16])
async def test_a_life_that_is_not_said_is_a_minute(said: object):
    clock = SteppedClock()
    endpoint, tokens = Endpoint(clock, expires_in=said), Tokens(clock)
    await tokens.token("v", WAY, endpoint.post)
    await clock.advance(54)
    assert await tokens.token("v", WAY, endpoint.post) == "t1"
    await clock.advance(2)
    assert await tokens.token("v", WAY, endpoint.post) == "t2"


@pytest.mark.parametrize(("said", "kept_s"), [(10**400, 86000), ("3600", 3500), (float("inf"), 86000)])
async def test_a_long_life_is_bounded(said: object, kept_s: float):
    clock = SteppedClock()
    endpoint, tokens = Endpoint(clock, expires_in=said), Tokens(clock)
    for _ in range(2):
        assert await tokens.token("v", WAY, endpoint.post) == "t1"
        await clock.advance(kept_s)
    await clock.advance(86400)
    assert await tokens.token("v", WAY, endpoint.post) == "t2"


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [(400, "ESC-VIM-004", False), (401, "ESC-VIM-004", False), (404, "ESC-VIM-005", False), (302, "ESC-VIM-005", False)]
    + [(status, "ESC-VIM-005", True) for status in (429, 500, 503)],
)
async def test_an_endpoint_that_refuses_is_told_apart_from_one_that_is_busy(status: int, code: str, again: bool):
    clock = SteppedClock()
    endpoint = Endpoint(clock)
    endpoint.status = status
    with pytest.raises(EscalatorError) as caught:
        await Tokens(clock).token("v", WAY, endpoint.post)
    assert (caught.value.code.value, isinstance(caught.value, TemporaryError)) == (code, again)


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "t0k en"},
        {"access_token": 7},
        {"access_token": ""},
        {"access_token": "t0k\r\nY: z"},
        {"token_type": "mac"},
    ],
)
async def test_what_is_no_bearer_token_is_not_used_nor_repeated(answer: dict[str, object]):
    clock = SteppedClock()
    with pytest.raises(EscalatorError, match="something else than a bearer token") as caught:
        await Tokens(clock).token("v", WAY, Endpoint(clock, **answer).post)
    assert "t0k" not in str(caught.value)
