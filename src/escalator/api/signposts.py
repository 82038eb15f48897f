"""Who calls one listener and means another is told so: an answer about a token, or a path, would lead away from the port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from escalator.api.problems import problem
from escalator.model.codes import Code

Listening = Literal["server", "repository", "vnfm"]
_NAMES: Mapping[Listening, str] = {
    "server": "the operators' listener",
    "repository": "the nodes' listener, which has release files only",
    "vnfm": "the VNF managers' listener",
}
_BEGINS: Mapping[Listening, frozenset[str]] = {
    "server": frozenset({"v1"}),
    "vnfm": frozenset({"vi-vnfm", "or-vi", "fenix", "tacker"}),
}
"""How the paths begin that belong to one listener only."""
_THERE: Mapping[Listening, str] = {
    "server": "Operators call server.host and server.port of the settings, 8470 unless set: ESCALATOR_URL names that to the CLI.",
    "vnfm": "VNF managers and orchestrators call vnfm.host and vnfm.port of the settings, 8472 unless set, or vnfm.public_url.",
}


class Signposts:
    """ASGI middleware: answers a path of another listener with 404 and where that is, whoever asks; nothing of it is read."""

    def __init__(self, app: ASGIApp, here: Listening) -> None:
        self._app = app
        self._here = here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or send it elsewhere."""
        there = self._there(scope["path"]) if scope["type"] == "http" else None
        if there is None:
            await self._app(scope, receive, send)
            return
        detail = f"This is {_NAMES[self._here]}; what was called is at another one."
        answer = problem(404, Code.API_NOT_FOUND, detail, remedy=_THERE[there], exit_code=2)
        await answer(scope, receive, send)

    def _there(self, path: str) -> Listening | None:
        """The listener that the path belongs to, where it is not this one."""
        first = path.lstrip("/").partition("/")[0]
        return next((name for name, begins in _BEGINS.items() if first in begins and name != self._here), None)
