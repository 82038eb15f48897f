"""The way over HTTP to VNF managers: accounts looked up at each use, time-outs, bounded answers, no redirects."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.notice import Auth, Vnfm
from escalator.settings import ClientCertificate
from escalator.vim_interface.accounts import Account, Accounts, Basic, Bearer, Certificate, OAuth2, Way, registered_way
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.connections import AddressError, Connections, Progress, Request
from escalator.vim_interface.dialects.tokens import Tokens
from escalator.vim_interface.trust_store import seen as trust_store_seen
from escalator.vim_interface.trust_store import trusted

MAX_RESPONSE_BYTES = 64 * 1024
"""A delivery needs no answer but its status; this much is read so that the connection can be used again."""
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Of what is read for its content."""
MAX_CONNECTIONS = 256
"""As many deliveries at once. The others wait for their turn here, and their time-out begins with it."""
_AGAIN = frozenset({408, 425, 429})
"""Client errors that go away by themselves."""


class AtWorkError(TemporaryError):
    """The VNF manager has the request, and has not answered it in time."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a VNF manager answered. `next` is where its list goes on, as it said."""

    uri: str
    status: int
    body: bytes
    next: str | None = None


class Http:
    """HTTP clients for all VNF managers of a dialect: one, and another that shows our certificate.

    `called` is what messages call one of them.
    """

    def __init__(self, accounts: Accounts, timeout_s: float, called: str = "VNF manager") -> None:
        self._called = called
        self._accounts = accounts
        self._timeout_s = timeout_s
        self._tokens = Tokens(accounts.clock)
        self._plain = _Current()
        self._shown = _Current()
        self._showing = _Showing(accounts.certificate)
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)

    async def send(
        self, method: str, vnfm: Vnfm, body: bytes | None, headers: Mapping[str, str], *, uri: str | None = None
    ) -> int:
        """Send to the VNF manager's address and return the status; raises TemporaryError or PermanentError when none comes.

        AtWorkError is raised when it has the request and takes its time.
        `uri` is sent to in its place; whoever gives one has checked that it is the VNF manager's.
        """
        account = await self._accounts.of(vnfm)
        return await self.send_to(method, account if uri is None else replace(account, uri=uri), body, headers)

    async def send_to(self, method: str, account: Account, body: bytes | None, headers: Mapping[str, str]) -> int:
        """Do the same with an account."""
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        return (await self._in_turn(_Request(method, account, headers, body))).status

    async def read(self, vnfm: Vnfm, auth: Auth, uri: str, headers: Mapping[str, str]) -> Page:
        """GET what a VNF manager shows at an address, whatever its status; raises as `send` does, and for an endless answer."""
        account = Account(vnfm.name, uri, registered_way(auth, self._accounts.credentials))
        page = await self._in_turn(_Request("GET", account, headers, None, MAX_PAGE_BYTES))
        if len(page.body) > MAX_PAGE_BYTES:
            raise PermanentError(Code.VIM_REFUSED, f"An answer of VNF manager {vnfm.name} does not end.")
        return page

    async def _in_turn(self, request: _Request) -> Page:
        account = request.account
        try:
            async with self._turns, asyncio.timeout(self._timeout_s):
                return await self._exchange(request)
        except TimeoutError as error:
            message = f"{self._called} {account.vnfm} did not answer within {self._timeout_s:g} s."
            kind = AtWorkError if request.progress.sent else TemporaryError
            raise kind(Code.VIM_UNREACHABLE, message) from error
        except AddressError as error:
            message = f"The address of {self._called} {account.vnfm} cannot be used: {error}."
            raise PermanentError(Code.VIM_REGISTRATION, message) from error
        except OSError as error:
            raise _unreachable(f"{self._called} {account.vnfm}", error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._plain.close()
        await self._shown.close()

    async def _exchange(self, request: _Request) -> Page:
        account, way = request.account, request.account.way
        if isinstance(way, Certificate):
            return await _answer(await self._shown.by(self._showing.context()), request)
        if not isinstance(way, OAuth2):
            return await _answer(await self._http(), request.showing(way))
        token = await self._tokens.token(account.vnfm, way, self._post)
        page = await _answer(await self._http(), request.showing(Bearer(token)))
        if page.status != 401:
            return page
        # A token may end before its time: one more is fetched, once.
        token = await self._tokens.token(account.vnfm, way, self._post, refused=token)
        return await _answer(await self._http(), request.showing(Bearer(token)))

    async def _post(self, uri: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        page = await _answer(await self._http(), _Request("POST", Account("", uri), headers, body))
        return page.status, page.body

    async def _http(self) -> Connections:
        return await self._plain.by(trusted())


class _Current:
    """Connections by the TLS context as it is now; those of an earlier one end with their last request."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self._connections: Connections | None = None

    async def by(self, context: ssl.SSLContext) -> Connections:
        """Return them."""
        if self._connections is not None and context is self._context:
            return self._connections
        older, newer = self._connections, Connections(context)
        self._context, self._connections = context, newer
        if older is not None:
            await older.retire()
        return newer

    async def close(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            await self._connections.aclose()
            self._connections = None


class _Showing:
    """The context that shows our certificate; made anew when its files or the trust store have changed."""

    def __init__(self, files: ClientCertificate) -> None:
        self._files = files
        self._context: ssl.SSLContext | None = None
        self._seen: object = None

    def context(self) -> ssl.SSLContext:
        """Return it; raises PermanentError (`VIM_CREDENTIAL_FILE`) when there is no certificate that can be used."""
        certificate, key = self._files.certificate, self._files.key
        if certificate is None:
            message = "There is no client certificate to show: vim.client_certificate of the settings names none."
            raise PermanentError(Code.VIM_CREDENTIAL_FILE, message)
        try:
            files = [(file, Path(file).stat().st_mtime_ns) for file in (certificate, key) if file is not None]
            seen = (files, trust_store_seen())
            if self._context is None or seen != self._seen:
                context = ssl.create_default_context()
                # The empty password: an encrypted key must not make OpenSSL ask at a terminal.
                context.load_cert_chain(Path(certificate), None if key is None else Path(key), password="")
                self._context, self._seen = context, seen
        except OSError as error:
            message = f"The client certificate cannot be used: {error.strerror or type(error).__name__}."
            raise PermanentError(Code.VIM_CREDENTIAL_FILE, message) from error
        return self._context


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    account: Account
    headers: Mapping[str, str]
    body: bytes | None
    most: int = MAX_RESPONSE_BYTES
    """Bytes of the answer that are read."""
    progress: Progress = field(default_factory=Progress)

    def showing(self, way: Way | None) -> _Request:
        """The request with the header by which we authenticate."""
        return replace(self, headers={**self.headers, **_header(way)})


async def _answer(client: Connections, request: _Request) -> Page:
    """Status, and as much of the content as is read."""
    uri = request.account.uri
    answer = await client.exchange(Request(request.method, uri, request.headers, request.body, request.most, request.progress))
    return Page(uri, answer.status, answer.body, answer.following)


def authorization(auth: Auth, credentials: Credentials) -> dict[str, str]:
    """Return the header by which we authenticate, from the credential as it is now."""
    return _header(registered_way(auth, credentials))


def _header(way: Way | None) -> dict[str, str]:
    match way:
        case Bearer(token):
            return {"Authorization": f"Bearer {token}"}
        case Basic(secret):
            return {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
        case _:
            return {}


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


def _unreachable(who: str, error: OSError) -> TemporaryError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            error = cause  # the innermost is the system's own word
        # The client's own errors are of these classes too, without what they say.
        if isinstance(cause, ssl.SSLCertVerificationError) and (why := getattr(cause, "verify_message", None)):
            return TemporaryError(Code.VIM_CERTIFICATE, f"The certificate of {who} is not accepted: {why}.")
        if isinstance(cause, ssl.SSLError) and (why := getattr(cause, "reason", None)):
            return TemporaryError(Code.VIM_UNREACHABLE, f"The TLS connection to {who} failed: {why}.")
        cause = cause.__cause__ or cause.__context__
    return TemporaryError(Code.VIM_UNREACHABLE, f"{who} cannot be reached ({type(error).__name__}).")
