"""The way over HTTP to VNF managers: credentials read at each use, time-outs, bounded answers, no redirects."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.notice import Auth, Vnfm
from escalator.vim_interface.credentials import Credentials

MAX_RESPONSE_BYTES = 64 * 1024
"""A delivery needs no answer but its status; this much is read so that the connection can be used again."""
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Of what is read for its content."""
MAX_CONNECTIONS = 256
"""As many deliveries at once. The others wait for their turn here, and their time-out begins with it: in the client's own
queue they would wait at a cost that grows with its square."""
_AGAIN = frozenset({408, 425, 429})
"""Client errors that go away by themselves."""


_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Page:
    """What a VNF manager answered to a question. `next` is where its list goes on, as it said."""

    uri: str
    status: int
    body: bytes
    next: str | None


class Http:
    """One HTTP client for all VNF managers of a dialect."""

    def __init__(self, credentials: Credentials, timeout_s: float) -> None:
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)

    async def send(
        self, method: str, vnfm: Vnfm, body: bytes | None, headers: Mapping[str, str], *, uri: str | None = None
    ) -> int:
        """Send to the VNF manager's address and return the status; raises TemporaryError or PermanentError when none comes.

        `uri` is sent to in its place; whoever gives one has checked that it is the VNF manager's.
        """
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        uri = uri or vnfm.spec.callback_uri
        if uri is None:
            raise PermanentError(Code.VIM_REGISTRATION, f"VNF manager {vnfm.name} has no address.")
        headers = {**headers, **authorization(vnfm.spec.auth, self._credentials)}
        return await self._in_turn(vnfm, self._status(method, uri, headers, body))

    async def read(self, vnfm: Vnfm, auth: Auth, uri: str, headers: Mapping[str, str]) -> Page:
        """GET what a VNF manager shows at an address, whatever its status; raises as `send` does, and for an endless answer."""
        return await self._in_turn(vnfm, self._page(vnfm, uri, {**headers, **authorization(auth, self._credentials)}))

    async def _in_turn(self, vnfm: Vnfm, exchange: Coroutine[Any, Any, _Answer]) -> _Answer:
        try:
            async with self._turns, asyncio.timeout(self._timeout_s):
                return await exchange
        except TimeoutError as error:
            message = f"VNF manager {vnfm.name} did not answer within {self._timeout_s:g} s."
            raise TemporaryError(Code.VIM_UNREACHABLE, message) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise PermanentError(Code.VIM_REGISTRATION, f"The address of VNF manager {vnfm.name} cannot be used.") from error
        except httpx.HTTPError as error:
            raise TemporaryError(Code.VIM_UNREACHABLE, _unreachable(vnfm.name, error)) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _status(self, method: str, uri: str, headers: Mapping[str, str], body: bytes | None) -> int:
        async with self._http().stream(method, uri, headers=headers, content=body) as response:
            read = 0
            async for chunk in response.aiter_raw():
                read += len(chunk)
                if read > MAX_RESPONSE_BYTES:
                    break
            return response.status_code

    async def _page(self, vnfm: Vnfm, uri: str, headers: Mapping[str, str]) -> Page:
        async with self._http().stream("GET", uri, headers=headers) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_PAGE_BYTES:
                    raise PermanentError(Code.VIM_REFUSED, f"An answer of VNF manager {vnfm.name} does not end.")
            return Page(uri, response.status_code, bytes(body), response.links.get("next", {}).get("url"))

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                # The machine's trust store: operators have authorities of their own. No proxy from the environment.
                verify=ssl.create_default_context(),
                trust_env=False,
                follow_redirects=False,
                timeout=self._timeout_s,
                limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=0),
                headers={"User-Agent": "escalator"},
            )
        return self._client


def authorization(auth: Auth, credentials: Credentials) -> dict[str, str]:
    """Return the header by which we authenticate, from the credential as it is now."""
    if auth.type == "none" or auth.credential is None:
        return {}
    secret = credentials.read(auth.credential)
    if auth.type == "bearer":
        return {"Authorization": f"Bearer {secret}"}
    return {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}


def failure(name: str, status: int) -> EscalatorError | None:
    """Return what a status means for a delivery; None when the VNF manager has the notice."""
    if 200 <= status < 300:
        return None
    if status in (401, 403):
        return PermanentError(Code.VIM_CREDENTIALS, f"VNF manager {name} refused our credentials ({status}).")
    message = f"VNF manager {name} answered {status}."
    if status in _AGAIN or status >= 500:
        return TemporaryError(Code.VIM_REFUSED, message)
    if 300 <= status < 400:
        message = f"VNF manager {name} answered {status}; redirects are not followed, so register the address it leads to."
    return PermanentError(Code.VIM_REFUSED, message)


def _unreachable(name: str, error: httpx.HTTPError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The certificate of VNF manager {name} is not accepted: {cause.verify_message}."
        cause = cause.__cause__ or cause.__context__
    return f"VNF manager {name} cannot be reached ({type(error).__name__})."
