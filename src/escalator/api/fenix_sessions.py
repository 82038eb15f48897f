"""`/fenix/v1/maintenance` for administrators: sessions are started, shown, continued and removed as with OpenStack Fenix.

Paths, bodies and status codes are Fenix's, but for errors: those are problem documents, as everywhere here; only the one for
another campaign that runs (509) says `error` as Fenix does.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse

from escalator.api.bodies import read_body
from escalator.api.problems import documented
from escalator.upgrade_manager.sessions import MAX_BYTES, BusyError, SessionBody, Sessions
from escalator.vim_interface.fenix.access import Access
from escalator.vim_interface.fenix.events import PATH

Token = Annotated[str | None, Header(alias="X-Auth-Token")]
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_TOO_MANY: dict[int | str, dict[str, Any]] = {
    509: {"description": "Another campaign runs", "content": {"application/json": {"schema": _ERROR}}}
}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": SessionBody.model_json_schema()}}}}

_ANY = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}


def sessions_router(sessions: Sessions, access: Access) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix=PATH, tags=["fenix"], responses=documented(401, 403, 409, 413, 422, 429, 502, 503))

    @router.post("/maintenance", responses=_TOO_MANY, openapi_extra=_BODY)
    async def create_session(request: Request, token: Token = None) -> Response:
        """Start a session: `{"hosts": [...], "maintenance_at": "...", "workflow": "..."}`."""
        await access.administrator(token)
        try:
            session = await sessions.create(await read_body(request, MAX_BYTES))
        except BusyError:
            return JSONResponse({"error": "Too many sessions"}, 509)
        return JSONResponse({"session_id": session})

    @router.get("/maintenance")
    async def list_sessions(token: Token = None) -> dict[str, Any]:
        """Return the sessions that were not removed."""
        await access.administrator(token)
        return {"sessions": list(await sessions.list())}

    @router.put("/maintenance/{session}", responses=documented(404), openapi_extra=_ANY)
    async def update_session(session: str, request: Request, token: Token = None) -> dict[str, Any]:
        """Let a session go on that stopped for a person. What the body says means nothing."""
        await access.administrator(token)
        await read_body(request, MAX_BYTES)
        await sessions.update(session)
        return {"maintenance": str(request.url), "session_id": session}

    @router.delete("/maintenance/{session}", responses=documented(404))
    async def remove_session(session: str, token: Token = None) -> dict[str, Any]:
        """Abort a session, which puts its hosts back in service, and show it no more."""
        await access.administrator(token)
        await sessions.remove(session)
        return {}

    return router
