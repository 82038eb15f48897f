"""`/fenix/v1` on the VNF managers' listener: what VNF managers made for OpenStack Fenix call.

Paths, bodies and status codes are Fenix's. Its clients take nothing but 200 for a success.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel

from escalator.api.bodies import read_body
from escalator.api.problems import documented
from escalator.model.document import parse_json
from escalator.vim_interface.fenix.constraints import GroupBody, InstanceBody
from escalator.vim_interface.fenix.events import PATH
from escalator.vim_interface.fenix.face import Face
from escalator.vim_interface.fenix.replies import FenixReply

MAX_BYTES = 1024 * 1024
Token = Annotated[str | None, Header(alias="X-Auth-Token")]
_ERRORS = documented(401, 403, 404, 409, 413, 422, 429)


def fenix_router(face: Face) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix=PATH, tags=["fenix"], responses=_ERRORS)

    @router.get("/maintenance/{session}")
    async def get_session(session: str, token: Token = None) -> dict[str, Any]:
        """Return the state of a session: of a campaign."""
        await face.access.project(token)
        return {"session_id": session, "state": await face.state(session)}

    @router.get("/maintenance/{session}/detail")
    async def get_detail(session: str, token: Token = None) -> dict[str, Any]:
        """Return all about a session, for administrators: how far it is, with its hosts and instances."""
        return await face.detail(session, token)

    @router.get("/maintenance/{session}/{project}")
    async def get_instances(session: str, project: str, token: Token = None) -> dict[str, Any]:
        """Return the project's instances that are asked about now; all it has, while none is."""
        await face.access.within(token, project)
        return {"instance_ids": list(await face.instances(session, project))}

    @router.put("/maintenance/{session}/{project}", openapi_extra=_body(FenixReply))
    async def put_project_reply(session: str, project: str, request: Request, token: Token = None) -> dict[str, Any]:
        """Take a project's reply: `{"state": "ACK_..." or "NACK_...", "instance_actions": {...}}`."""
        await face.access.within(token, project)
        body = await read_body(request, MAX_BYTES)
        await face.reply(session, project, body)
        return _echo(body)

    @router.get("/maintenance/{session}/{project}/{address}")
    async def get_node_instances(session: str, project: str, address: str, token: Token = None) -> dict[str, Any]:
        """Return the project's instances that the event with that address is about, for clients of the workflow `default`."""
        await face.access.within(token, project)
        return {"instance_ids": list(await face.instances_at(session, project, address))}

    @router.put("/maintenance/{session}/{project}/{address}", openapi_extra=_body(FenixReply))
    async def put_node_reply(session: str, project: str, address: str, request: Request, token: Token = None) -> dict[str, Any]:
        """Take a reply about the project's instances on a node, at the address that its event named."""
        await face.access.within(token, project)
        body = await read_body(request, MAX_BYTES)
        await face.reply_at(session, project, address, body)
        return _echo(body)

    @router.put("/maintenance/{session}/{project}/{instance}/{address}", openapi_extra=_body(FenixReply))
    async def put_instance_reply(
        session: str, project: str, instance: str, address: str, request: Request, token: Token = None
    ) -> dict[str, Any]:
        """Take a reply about one instance, at the address that its event named."""
        await face.access.within(token, project)
        body = await read_body(request, MAX_BYTES)
        await face.reply_about(session, project, instance, address, body)
        return _echo(body)

    _of_constraints(router, face)
    return router


def _of_constraints(router: APIRouter, face: Face) -> None:
    """What is declared for instances and groups."""

    @router.put("/instance/{instance}", openapi_extra=_body(InstanceBody))
    async def put_instance(instance: str, request: Request, token: Token = None) -> dict[str, Any]:
        """Keep what is declared for an instance."""
        await face.access.project(token)
        await face.declare("instance", instance, await read_body(request, MAX_BYTES), token)
        return {}

    @router.delete("/instance/{instance}")
    async def delete_instance(instance: str, token: Token = None) -> dict[str, Any]:
        """Forget what was declared for an instance."""
        await face.withdraw("instance", instance, token)
        return {}

    @router.put("/instance_group/{group}", openapi_extra=_body(GroupBody))
    async def put_group(group: str, request: Request, token: Token = None) -> dict[str, Any]:
        """Keep what is declared for a group."""
        await face.access.project(token)
        await face.declare("group", group, await read_body(request, MAX_BYTES), token)
        return {}

    @router.delete("/instance_group/{group}")
    async def delete_group(group: str, token: Token = None) -> dict[str, Any]:
        """Forget what was declared for a group."""
        await face.withdraw("group", group, token)
        return {}


def _echo(body: bytes) -> dict[str, Any]:
    """What Fenix answers to a reply that it took: the reply, with all that clients add to it."""
    return dict(parse_json(body).data)


def _body(model: type[BaseModel]) -> dict[str, Any]:
    """What a route says in its OpenAPI document about its body."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}
