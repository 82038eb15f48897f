"""OAuth2 access tokens by client credentials (RFC 6749, 4.4): fetched when needed, kept until they expire."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.vim_interface.accounts import OAuth2

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]
"""`post(uri, headers, body)` gives status and content, bounded; raises what the client raises."""

UNSAID_S = 60.0
"""How long a token is kept whose answer does not say how long it lives."""
LONGEST_S = 86400.0
SPARE_S = 5.0
"""A token is renewed so long before its end, or a tenth of its life before: what is sent must arrive while it is good."""
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}", re.ASCII)
_BODY = b"grant_type=client_credentials"


@dataclass(slots=True)
class _Kept:
    way: OAuth2 | None = None
    token: str = field(default="", repr=False)
    until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Tokens:
    """Tokens of VNF managers, one each, in memory only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    async def token(self, vnfm: str, way: OAuth2, post: Post, *, refused: str | None = None) -> str:
        """Return a token that is good now; another one is fetched when what is kept was `refused`.

        Raises PermanentError when the endpoint refuses our credentials or answers what is no token, TemporaryError when
        it may go better later.
        """
        kept = self._kept.setdefault(vnfm, _Kept())
        async with kept.lock:
            now = self._clock.now()
            if kept.way != way or now >= kept.until or kept.token == refused:
                kept.way = None
                kept.token, life_s = _read(vnfm, *await post(way.token_endpoint, _headers(way), _BODY))
                kept.way, kept.until = way, now + life_s - min(SPARE_S, life_s / 10)
            return kept.token


def _headers(way: OAuth2) -> dict[str, str]:
    # RFC 6749, 2.3.1: both are form-encoded before they become user and password.
    pair = f"{quote(way.client_id, safe='')}:{quote(way.client_password, safe='')}"
    return {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }


def _read(vnfm: str, status: int, content: bytes) -> tuple[str, float]:
    """Token and life in seconds. Nothing of the content is put into an error: it may hold a secret."""
    if status != 200:
        raise _refusal(vnfm, status)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    token = found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or str(found.get("token_type", "")).lower() != "bearer":
        message = f"The token endpoint of VNF manager {vnfm} answered something else than a bearer token."
        raise PermanentError(Code.VIM_REFUSED, message)
    return token, _life_s(found.get("expires_in"))


def _life_s(said: Any) -> float:  # noqa: ANN401 - JSON
    number = int(said) if isinstance(said, str) and said.isdecimal() and len(said) < 16 else said
    if not isinstance(number, int | float) or number != number:  # noqa: PLR0124 - JSON's NaN
        return UNSAID_S
    return float(min(max(number, 0), LONGEST_S))


def _refusal(vnfm: str, status: int) -> EscalatorError:
    message = f"The token endpoint of VNF manager {vnfm} answered {status}."
    if status in (408, 425, 429) or status >= 500:
        return TemporaryError(Code.VIM_REFUSED, message)
    if status in (400, 401, 403):
        message = f"The token endpoint of VNF manager {vnfm} refused our credentials ({status})."
        return PermanentError(Code.VIM_CREDENTIALS, message)
    return PermanentError(Code.VIM_REFUSED, message)
