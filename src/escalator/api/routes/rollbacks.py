"""The way back of campaigns: previewed, begun, forced, or given up."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from escalator.api import shapes
from escalator.api.actions import RollbackAction, StateAction
from escalator.api.documents import body, read_optional
from escalator.api.problems import documented
from escalator.api.services import Here
from escalator.api.views import CampaignSummary, RolledBackView

router = APIRouter(tags=["campaigns"])
_PLAN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Plan"}}}}
}


@router.get("/campaigns/{name}/rollback", response_class=Response, responses={**documented(404, 409, 422, 502, 503), **_PLAN})
async def preview_rollback(services: Here, name: str, *, outside_windows: bool = False) -> Response:
    """The plan that a rollback would go by now, or outside of maintenance windows. Nothing is stored, and nothing begins."""
    plan = await services.campaigns.back.preview(name, outside_windows=outside_windows)
    return Response(plan.model_dump_json(by_alias=True), media_type="application/json")


@router.post(
    "/campaigns/{name}/actions/rollback",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422, 502, 503),
    openapi_extra=dict(body("RollbackAction", required=False)),
)
async def roll_campaign_back(services: Here, name: str, request: Request) -> RolledBackView:
    """Put every node that the campaign changed back on what it ran before, the latest first, by a plan of its own.

    Refused when it runs (pause it first), when it is committed, when a later campaign has changed the same nodes, and when
    another campaign has the cloud. It waits for the campaign's maintenance windows unless `outside_windows` is given.
    """
    action = await read_optional(request, RollbackAction)
    back = services.campaigns.back
    accepted = {"accept_outage": action.accept_outage, "outside_windows": action.outside_windows}
    row = await back.rollback(name, action.reason, **accepted)
    return RolledBackView(**shapes.campaign_summary(row).model_dump(), waits=await back.waits(name))


@router.post(
    "/campaigns/{name}/actions/restore",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422, 502, 503),
    openapi_extra=dict(body("StateAction", required=False)),
)
async def restore_campaign(services: Here, name: str, request: Request) -> CampaignSummary:
    """Put the nodes whose rollback failed on the oldest backup that the campaign took of them, by force."""
    action = await read_optional(request, StateAction)
    return shapes.campaign_summary(await services.campaigns.back.restore(name, action.reason))


@router.post(
    "/campaigns/{name}/actions/commit",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422),
    openapi_extra=dict(body("StateAction", required=False)),
)
async def commit_campaign(services: Here, name: str, request: Request) -> CampaignSummary:
    """Make a campaign that is over final: its backups are removed from the nodes, and no rollback is possible any more."""
    action = await read_optional(request, StateAction)
    return shapes.campaign_summary(await services.campaigns.back.commit(name, action.reason))
