"""Who may talk to the operators' listener: checked before anything of a request is read, and refused by default.

Host and Origin are compared with the names under which the listener is meant to be reached, so that no web page of
another site can use a browser on this machine; everything but health and the OpenAPI document needs a bearer token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escalator.api.problems import problem
from escalator.model.codes import Code
from escalator.settings import Listener

PUBLIC = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""Paths that need no token."""
OPERATOR = "operator"
"""Where the request's state has the name that its token says; null where it says none."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def hosts_of(listener: Listener) -> frozenset[str]:
    """Names under which the listener may be called: loopback, where it binds, and its public address.

    Ports are not compared: a tunnel may come in by another one.
    """
    public = urlsplit(listener.public_url).hostname if listener.public_url else None
    return _LOOPBACK | {listener.host.lower()} | ({public} if public else set())


class Tokens:
    """The tokens of operators: the one of the server, which says no name, and those that do."""

    def __init__(self, token: str, named: Mapping[str, str]) -> None:
        """`named`: digests, as the settings have them."""
        self._known = [("", _digest(token.encode())), *named.items()]

    def whose(self, given: str) -> str | None:
        """The name that the token says, empty for the one that says none; None where it is nobody's."""
        digest = _digest(given.encode("latin-1", "replace"))
        # Each is compared, and takes as long for a wrong token as for a right one, however much of it is right.
        found = [name for name, known in self._known if hmac.compare_digest(digest, known)]
        return found[0] if found else None


def _digest(token: bytes) -> str:
    return f"sha256:{hashlib.sha256(token).hexdigest()}"


class Guard:
    """ASGI middleware: refuses foreign hosts and origins and requests without a token; says who has one that has a name."""

    def __init__(self, app: ASGIApp, tokens: Tokens, hosts: Iterable[str]) -> None:
        self._app = app
        self._tokens = tokens
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it with a problem. Other protocols than HTTP are not spoken here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refusal(scope)
            await (self._app if refusal is None else refusal)(scope, receive, _hardened(send))

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        names = headers.getlist("host")
        if len(names) != 1 or _hostname(names[0]) not in self._hosts:
            return _forbidden("The Host header does not name this server.")
        if not all(self._is_ours(origin, names[0]) for origin in headers.getlist("origin")):
            return _forbidden("The Origin header names another site.")
        whose = self._whose(headers)
        scope.setdefault("state", {})[OPERATOR] = whose or None
        if scope["path"] in PUBLIC or whose is not None:
            return None
        return problem(
            401,
            Code.API_TOKEN,
            "The bearer token is missing or wrong.",
            remedy="The server writes it to `token` in its state directory; ESCALATOR_TOKEN_FILE names that file to the CLI.",
            exit_code=7,
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _is_ours(self, origin: str, host: str) -> bool:
        """A page of this very server: same name and port, or the public name in front of it."""
        parts = _split(origin)
        if parts is None or parts.scheme not in ("http", "https"):
            return False
        return parts.netloc.lower() == host.lower() or (parts.hostname in self._hosts - _LOOPBACK)

    def _whose(self, headers: Headers) -> str | None:
        given = headers.getlist("authorization")
        if len(given) != 1:
            return None
        scheme, _, token = given[0].partition(" ")
        return self._tokens.whose(token.strip()) if scheme.lower() == "bearer" else None


def _hostname(host: str) -> str | None:
    parts = _split(f"//{host}")
    return None if parts is None else parts.hostname


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return None if parts.username is not None or parts.path or parts.query else parts


def _forbidden(detail: str) -> ASGIApp:
    remedy = "Call the server by the address that it listens on, or set server.public_url."
    return problem(403, Code.API_HOST, detail, remedy=remedy, exit_code=7)


def _hardened(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Cache-Control", "no-store")
            headers.setdefault("X-Content-Type-Options", "nosniff")
        await send(message)

    return wrapped
