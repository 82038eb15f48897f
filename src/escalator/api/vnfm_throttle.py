"""Wrong credentials at the VNF managers' listener: after some of them, 429 with the time after which to come back.

Reply addresses are unguessable, with or without a credential, and never held up: an answer in time counts for more than a
caller's other errors.
Only a success (2xx) shows that a credential was right: other answers may come before it was looked at.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escalator.api.problems import problem
from escalator.api.subscriptions import PATH as SUBSCRIPTIONS
from escalator.api.vnfm_headers import HEADERS
from escalator.model.codes import Code
from escalator.vim_interface.fenix.events import PATH as FENIX
from escalator.vim_interface.tacker.messages import PATH as TACKER
from escalator.vim_interface.throttle import Throttle

_NAMED_BY: Mapping[str, int] = {f"{FENIX}/maintenance": 2, f"{TACKER}/v2": 1}
"""Where callers name their project: how many parts of the path after this one."""
_SHOWN_IN = ("authorization", "x-auth-token")
"""Headers that hold a credential; with Tacker the path may."""
_WRONG = 401
_SUCCESSES = range(200, 300)
_LONGEST = 64
"""Characters of a name that are kept: more would be somebody else's memory."""


class Throttled:
    """Stands before the listener's app."""

    def __init__(self, app: ASGIApp, throttle: Throttle) -> None:
        self._app = app
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the call through, or answer 429."""
        headers = Headers(scope=scope)
        name = claimed(scope["path"], headers) if scope["type"] == "http" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        # Many clients show their credential only when they were asked for it: none at all is no wrong one.
        credential = shown(scope["path"], headers)
        source = (scope.get("client") or ("unknown", 0))[0]
        wait_s = self._throttle.wait_s(source, name, credential)
        if wait_s > 0:
            message = "Too many wrong credentials came from here."
            extra = {**HEADERS, "Retry-After": str(wait_s)}
            await problem(429, Code.VIM_THROTTLED, message, headers=extra)(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and credential:
                if message["status"] == _WRONG:
                    self._throttle.wrong(source, name, credential)
                elif message["status"] in _SUCCESSES:
                    self._throttle.right(source, name, credential)
            await send(message)

        await self._app(scope, receive, sending)


def shown(path: str, headers: Headers) -> bytes:
    """Return the credential that is shown; empty where none is."""
    found = [headers.get(name, "") for name in _SHOWN_IN]
    if path.startswith(f"{TACKER}/"):
        found.append(path.removeprefix(f"{TACKER}/").partition("/")[0])
    return "\n".join(found).encode() if any(found) else b""


def claimed(path: str, headers: Headers) -> str | None:
    """Return who the caller says it is, where a credential is asked for; None where none is."""
    for prefix in (SUBSCRIPTIONS, FENIX, TACKER):
        if path == prefix or path.startswith(f"{prefix}/"):
            return f"{prefix} {_user(headers) or _project(path)}"[:_LONGEST]
    return None


def _user(headers: Headers) -> str:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[0].decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def _project(path: str) -> str:
    for prefix, part in _NAMED_BY.items():
        if path.startswith(f"{prefix}/"):
            parts = path.removeprefix(f"{prefix}/").split("/")
            return parts[part - 1] if len(parts) >= part else ""
    return ""
