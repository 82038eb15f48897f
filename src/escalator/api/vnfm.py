"""The VNF managers' listener: where replies to notices are put, and where a missed notice can be read.

Whoever holds a reply address may use it, unless the VNF manager's registration asks for its credential, too; an orchestrator
may see that it is registered; subscriptions ask who calls. There is nothing else here to find or to guess.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from escalator.api.bodies import read_body
from escalator.api.fenix import fenix_router
from escalator.api.or_vi import or_vi_router, webhooks
from escalator.api.problems import add_problem_handlers, documented
from escalator.api.subscriptions import replying, subscriptions_router
from escalator.api.tacker import tacker_router
from escalator.api.vnfm_headers import HEADERS, check_headers, check_version
from escalator.api.vnfm_messages import Notification, Occurrence, example
from escalator.api.vnfm_openapi import describe
from escalator.model.clock import Clock
from escalator.model.notice import Reply
from escalator.vim_interface.fenix.face import Face
from escalator.vim_interface.inbox import MAX_REPLY_BYTES, Inbox
from escalator.vim_interface.messages import API_VERSION, REPLIES
from escalator.vim_interface.orchestrators import Orchestrators
from escalator.vim_interface.subscriptions import Subscribing
from escalator.vim_interface.tacker.face import Face as TackerFace


def vnfm_app(
    inbox: Inbox,
    clock: Clock,
    fenix: Face | None = None,
    tacker: TackerFace | None = None,
    subscribing: Subscribing | None = None,
    orchestrators: Orchestrators | None = None,
) -> FastAPI:
    """Return the app of the VNF managers' listener."""
    app = FastAPI(title="Escalator Vi-Vnfm interface", version=API_VERSION, docs_url=None, redoc_url=None, openapi_url=None)
    add_problem_handlers(app, HEADERS)
    body = {"required": True, "content": {"application/json": {"schema": Reply.model_json_schema()}}}

    @app.put(
        f"{REPLIES}/{{token}}",
        status_code=204,
        responses=documented(401, 404, 406, 409, 413, 415, 422),
        openapi_extra={"requestBody": body},
    )
    async def put_reply(token: str, request: Request) -> Response:
        """Answer a notice. The same answer again is confirmed again."""
        check_headers(request)
        # Nobody else's megabytes are taken into memory, or waited for.
        await inbox.expect(token, replying(subscribing, request))
        given = await read_body(request, MAX_REPLY_BYTES)
        await inbox.receive(token, given, clock.now(), replying(subscribing, request))
        return Response(status_code=204, headers=HEADERS)

    @app.get(f"{REPLIES}/{{token}}", responses={200: {"model": Occurrence}, **documented(401, 404, 406, 422)})
    async def get_notice(token: str, request: Request, response: Response) -> dict[str, Any]:
        """Return the notice as it stands now, for a VNF manager that missed it."""
        check_version(request)
        response.headers.update(HEADERS)
        return await inbox.show(token, replying(subscribing, request))

    describe_messages(app)
    if subscribing is not None:
        app.include_router(subscriptions_router(subscribing))
    if orchestrators is not None:
        app.include_router(or_vi_router(orchestrators))
        app.webhooks.include_router(webhooks)
    if fenix is not None:
        app.include_router(fenix_router(fenix))
    if tacker is not None:
        app.include_router(tacker_router(tacker))
    describe(app)
    return app


def describe_messages(app: FastAPI) -> None:
    """Let the app's OpenAPI document say what Escalator sends to VNF managers, and what their answers mean."""
    body = {"content": {"application/json": {"example": example()}}}
    answers: dict[int | str, dict[str, Any]] = {
        "4XX": {"description": "The delivery is given up; after 408, 425 and 429 it is tried again."},
        "5XX": {"description": "The delivery is tried again, with the same id."},
    }

    @app.webhooks.post("notification", status_code=204, responses=answers, openapi_extra={"requestBody": body})
    async def notification(body: Notification) -> None:
        """Tell a VNF manager what is about to happen, has happened, or will not happen."""

    tested: dict[int | str, dict[str, Any]] = {
        "default": {"description": "There is no subscription, and the 422 of its POST says why."}
    }

    @app.webhooks.get("notification", status_code=204, responses=tested)
    async def endpoint_test() -> None:
        """Test the address, with its `authentication`, while a VNF manager subscribes and when an operator asks: expects 204."""
