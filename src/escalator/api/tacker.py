"""`/tacker` on the VNF managers' listener: what Tacker calls at the address that it knows as `ServerNotifierUri`.

Paths, bodies and status codes are those of Tacker's fault notification. The key that some addresses begin with is a secret.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response

from escalator.api.bodies import read_body
from escalator.api.problems import documented
from escalator.vim_interface.tacker.face import Caller, Face
from escalator.vim_interface.tacker.messages import PATH, AlarmBody, AlarmShown, shown

MAX_BYTES = 16 * 1024
"""An address of two thousand characters and a few words of four."""
_NO_STORE = {"Cache-Control": "no-store"}
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Tenant = Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f/]{1,64}$")]
Key = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{16,128}$")]
Token = Annotated[str | None, Header(alias="X-Auth-Token")]
ALARMS = "/v2/{tenant}/servers/{server}/alarms"


def tacker_router(face: Face) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix=PATH, tags=["tacker"])
    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": AlarmBody.model_json_schema()}}}}
    made: dict[str, Any] = {"status_code": 201, "response_model": AlarmShown, "openapi_extra": body}
    made["responses"] = documented(401, 403, 404, 408, 409, 413, 422, 429, 503)
    gone: dict[str, Any] = {"status_code": 204, "responses": documented(401, 403, 422, 429, 503)}

    async def registered(caller: Caller, tenant: str, server: str, request: Request, response: Response) -> AlarmShown:
        response.headers.update(_NO_STORE)
        return shown(await face.register(caller, tenant, server, await read_body(request, MAX_BYTES)))

    @router.post(ALARMS, **made)
    async def post_alarm(tenant: Tenant, server: Id, request: Request, response: Response, token: Token = None) -> AlarmShown:
        """Register where Tacker wants to be told about an instance; with a token of Keystone."""
        caller = await face.by_token(token or _authorization(request), tenant)
        return await registered(caller, tenant, server, request, response)

    @router.post(f"/{{key}}{ALARMS}", **made)
    async def post_alarm_by_key(key: Key, tenant: Tenant, server: Id, request: Request, response: Response) -> AlarmShown:
        """Register where Tacker wants to be told about an instance; at the address of one VNF manager."""
        return await registered(await face.by_key(key), tenant, server, request, response)

    @router.delete(f"{ALARMS}/{{alarm}}", **gone)
    async def delete_alarm(tenant: Tenant, server: Id, alarm: Id, request: Request, token: Token = None) -> Response:
        """Take an alarm back; one that is not there is taken back, too."""
        await face.take_back(await face.by_token(token or _authorization(request), tenant), server, alarm)
        return Response(status_code=204)

    @router.delete(f"/{{key}}{ALARMS}/{{alarm}}", **gone)
    async def delete_alarm_by_key(key: Key, tenant: Tenant, server: Id, alarm: Id) -> Response:  # noqa: ARG001 - part of the path
        """Take an alarm back at the address of one VNF manager."""
        await face.take_back(await face.by_key(key), server, alarm)
        return Response(status_code=204)

    return router


def _authorization(request: Request) -> str | None:
    """The token where Tacker's specification wants it; clients of Keystone put it elsewhere."""
    return request.headers.get("authorization", "").removeprefix("Bearer ") or None
