"""The way over HTTP to VNF managers: credentials read at each use, time-outs, bounded answers, no redirects."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping

import httpx

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.notice import Auth, Vnfm
from escalator.vim_interface.credentials import Credentials

MAX_RESPONSE_BYTES = 64 * 1024
"""A delivery needs no answer but its status; this much is read so that the connection can be used again."""
MAX_CONNECTIONS = 256
"""As many deliveries at once. The others wait for their turn here, and their time-out begins with it: in the client's own
queue they would wait at a cost that grows with its square."""
_AGAIN = frozenset({408, 425, 429})
"""Client errors that go away by themselves."""


class Http:
    """One HTTP client for all VNF managers of a dialect. `called` is what messages call one of them."""

    def __init__(self, credentials: Credentials, timeout_s: float, called: str = "VNF manager") -> None:
        self._called = called
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)

    async def send(self, method: str, vnfm: Vnfm, body: bytes | None, headers: Mapping[str, str]) -> int:
        """Send to the VNF manager's address and return the status; raises TemporaryError or PermanentError when none comes."""
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        uri = vnfm.spec.callback_uri
        if uri is None:
            raise PermanentError(Code.VIM_REGISTRATION, f"{self._called} {vnfm.name} has no address.")
        try:
            async with self._turns, asyncio.timeout(self._timeout_s):
                return await self._status(method, uri, {**headers, **authorization(vnfm.spec.auth, self._credentials)}, body)
        except TimeoutError as error:
            message = f"{self._called} {vnfm.name} did not answer within {self._timeout_s:g} s."
            raise TemporaryError(Code.VIM_UNREACHABLE, message) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            message = f"The address of {self._called} {vnfm.name} cannot be used."
            raise PermanentError(Code.VIM_REGISTRATION, message) from error
        except httpx.HTTPError as error:
            raise TemporaryError(Code.VIM_UNREACHABLE, _unreachable(f"{self._called} {vnfm.name}", error)) from error

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


def _unreachable(who: str, error: httpx.HTTPError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The certificate of {who} is not accepted: {cause.verify_message}."
        cause = cause.__cause__ or cause.__context__
    return f"{who} cannot be reached ({type(error).__name__})."
