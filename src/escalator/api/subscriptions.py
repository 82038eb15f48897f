"""`/vi-vnfm/v1/subscriptions` on the VNF managers' listener: a VNF manager says by itself where it is told.

In the style of the subscriptions of ETSI GS NFV-SOL 003. Who calls is known by the credential that the operator gave to its
registration; nobody sees another's subscription.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException

from escalator.api.bodies import read_body
from escalator.api.problems import documented
from escalator.api.vnfm_headers import HEADERS, check_headers, check_version
from escalator.api.vnfm_messages import Link, Occurrence
from escalator.model.errors import NotAllowedError
from escalator.model.notice import Notice, Vnfm
from escalator.model.subscription import Filter, Subscription, SubscriptionRequest
from escalator.vim_interface.inbox import Allow
from escalator.vim_interface.subscriptions import MAX_SUBSCRIPTION_BYTES, Subscribing

PATH = "/vi-vnfm/v1/subscriptions"
_CHALLENGES = 'Bearer realm="escalator", Basic realm="escalator"'


class SubscriptionLinks(BaseModel):
    """Links of a subscription."""

    self: Link


class SubscriptionView(BaseModel):
    """A subscription as it is read back: without the credentials that came with it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    id: str = Field(description="The name under which the VNF manager is registered; notices carry it as `subscriptionId`.")
    callback_uri: str
    filter: Filter | None = None
    links: SubscriptionLinks = Field(alias="_links")


class _DescribedBasic(HTTPBasic):
    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        """Only the OpenAPI document needs this; the header is read once, for both schemes."""


_DESCRIBED = [Depends(HTTPBearer(auto_error=False, scheme_name="token")), Depends(_DescribedBasic(scheme_name="password"))]
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": SubscriptionRequest.model_json_schema()}}}}


def subscriptions_router(subscribing: Subscribing) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix=PATH, tags=["subscriptions"], dependencies=_DESCRIBED, responses=documented(401, 406, 429))

    async def caller(request: Request) -> Vnfm:
        check_version(request)
        try:
            return await subscribing.caller(_shown_in(request))
        except NotAllowedError as error:
            raise _challenge() from error

    located = {"Location": {"schema": {"type": "string"}}}
    answers: dict[int | str, dict[str, Any]] = {
        201: {"model": SubscriptionView, "headers": located},
        303: {
            "description": "There is one with this address and filter; its `authentication` is the new one",
            "headers": located,
        },
    }

    @router.post("", status_code=201, responses={**answers, **documented(408, 409, 413, 415, 422, 503)}, openapi_extra=_BODY)
    async def subscribe(request: Request) -> Response:
        """Say where notices go. The address is tested by a GET, which has to be answered with 204."""
        vnfm = await caller(request)
        check_headers(request)
        made = await subscribing.create(vnfm, await read_body(request, MAX_SUBSCRIPTION_BYTES))
        view = _view(made.row, subscribing.base_url)
        headers = {**HEADERS, "Location": view.links.self.href}
        if not made.new:
            return Response(status_code=303, headers=headers)
        return JSONResponse(_shown(view), 201, headers)

    @router.get("", responses={200: {"model": Sequence[SubscriptionView]}})
    async def list_subscriptions(request: Request) -> Response:
        """Your subscriptions: one, or none."""
        found = [_shown(_view(row, subscribing.base_url)) for row in await subscribing.list(await caller(request))]
        return JSONResponse(found, headers=HEADERS)

    @router.get("/{subscription}", responses={200: {"model": SubscriptionView}, **documented(404)})
    async def get_subscription(subscription: str, request: Request) -> Response:
        """Return your subscription."""
        row = await subscribing.get(await caller(request), subscription)
        return JSONResponse(_shown(_view(row, subscribing.base_url)), headers=HEADERS)

    @router.get("/{subscription}/notices", responses={200: {"model": Sequence[Occurrence]}, **documented(404)})
    async def list_notices(subscription: str, request: Request) -> Response:
        """What you still have to answer, nearest deadline first, 200 at most: for who was down, or forgot what came."""
        return JSONResponse(await subscribing.notices(await caller(request), subscription), headers=HEADERS)

    @router.delete("/{subscription}", status_code=204, responses=documented(404))
    async def unsubscribe(subscription: str, request: Request) -> Response:
        """End your subscription: no notice goes to its address any more."""
        await subscribing.remove(await caller(request), subscription)
        return Response(status_code=204, headers=HEADERS)

    return router


def replying(subscribing: Subscribing | None, request: Request) -> Allow | None:
    """What looks whether a caller may use a reply address; answers 401."""
    if subscribing is None:
        return None

    async def allow(notice: Notice) -> None:
        try:
            await subscribing.replying(_shown_in(request), notice)
        except NotAllowedError as error:
            raise _challenge() from error

    return allow


def _shown_in(request: Request) -> str | None:
    """The credential of a request; two are none."""
    given = request.headers.getlist("authorization")
    return given[0] if len(given) == 1 else None


def _challenge() -> HTTPException:
    remedy = "Send the credential that Escalator's operator gave you, as Authorization: Bearer or Basic."
    return HTTPException(401, remedy, headers={"WWW-Authenticate": _CHALLENGES})


def _view(row: Subscription, base_url: str) -> SubscriptionView:
    href = f"{base_url}{PATH}/{quote(row.vnfm, safe='')}"
    links = SubscriptionLinks(self=Link(href=href))
    wanted = None if row.filter == Filter() else row.filter
    return SubscriptionView.model_validate({"id": row.vnfm, "callbackUri": row.callback_uri, "filter": wanted, "_links": links})


def _shown(view: SubscriptionView) -> dict[str, Any]:
    return view.model_dump(mode="json", by_alias=True, exclude_none=True)
