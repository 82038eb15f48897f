"""Campaigns and their plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Request, Response

from escalator.api import shapes
from escalator.api.actions import ApproveAction, ReplanAction, ResumeAction, StartAction, StateAction
from escalator.api.details import campaign_details
from escalator.api.documents import body, read, read_optional, read_text
from escalator.api.problems import documented
from escalator.api.services import Here
from escalator.api.times import stamp
from escalator.api.views import (
    CampaignDetails,
    CampaignSummary,
    ImpactView,
    InterruptionView,
    OutagesView,
    PlanRef,
    ReplanView,
    StagingView,
    StartedView,
    VerificationView,
)
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.upgrade_manager.drafts import edit, remove
from escalator.upgrade_manager.engine import gates, staging
from escalator.upgrade_manager.engine.budget import spent
from escalator.upgrade_manager.engine.ledger import By, impacts_of, interruptions, outages
from escalator.upgrade_manager.engine.proof import prove
from escalator.upgrade_manager.engine.states import ACTIVE
from escalator.upgrade_manager.engine.windows import short_of_time
from escalator.upgrade_manager.moment import at_one_moment

router = APIRouter(tags=["campaigns"])
_PLAN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Plan"}}}}
}


@router.post("/campaigns", status_code=201, responses=documented(404, 409, 413, 415, 422), openapi_extra=dict(body("Campaign")))
async def create_campaign(services: Here, request: Request, response: Response) -> CampaignSummary:
    """Store a campaign document, YAML or JSON."""
    row = await services.campaigns.create(await read_text(request))
    response.headers["Location"] = f"/v1/campaigns/{row.name}"
    return shapes.campaign_summary(row)


@router.put("/campaigns/{name}", responses=documented(404, 409, 413, 415, 422), openapi_extra=dict(body("Campaign")))
async def edit_campaign(services: Here, name: str, request: Request) -> CampaignSummary:
    """Put another document in the place of this one, until the campaign has started. It has to be planned again."""
    return shapes.campaign_summary(await edit(services.ctx, name, await read_text(request)))


@router.delete("/campaigns/{name}", status_code=204, responses=documented(404, 409))
async def remove_campaign(services: Here, name: str) -> Response:
    """Forget a campaign that has not started, with its plans; its name is free again."""
    await remove(services.ctx, name)
    return Response(status_code=204)


@router.get("/campaigns")
async def list_campaigns(services: Here) -> Sequence[CampaignSummary]:
    """All campaigns, oldest first; with their progress while they hold the cloud."""
    found = []
    for row in await services.campaigns.list():
        if row.state in ACTIVE:
            found.append(shapes.campaign_summary(*await at_one_moment(services.ctx.store, row)))
        else:
            found.append(shapes.campaign_summary(row))
    return found


@router.get("/campaigns/{name}", response_model=CampaignDetails, responses=documented(404))
async def get_campaign(services: Here, name: str) -> Response:
    """One campaign with its nodes, its progress, whom it waits for, and what a person can do next."""
    details = await campaign_details(services, name)
    # As text at once: the framework would check the thousand nodes of a large campaign again at each look.
    return Response(details.model_dump_json(), media_type="application/json")


@router.get("/campaigns/{name}/plans", responses=documented(404))
async def list_plans(services: Here, name: str) -> Sequence[PlanRef]:
    """The campaign's plans, oldest first."""
    view = await services.campaigns.show(name)
    return [
        PlanRef(
            id=plan.id,
            digest=plan.digest,
            parent=plan.parent,
            created_at=stamp(plan.created_at),
            current=plan.id == view.row.plan,
        )
        for plan in await services.ctx.store.campaigns.list_plans(name)
    ]


@router.get("/plans/{plan_id}", response_class=Response, responses={**documented(404), **_PLAN}, tags=["plans"])
async def get_plan(services: Here, plan_id: str) -> Response:
    """The plan document exactly as it is stored."""
    row = await services.ctx.store.campaigns.get_plan(plan_id)
    if row is None:
        raise NotFoundError(Code.UPG_NOT_FOUND, f"There is no plan {plan_id!r}.", remedy="escalator campaign list")
    return Response(row.document, media_type="application/json")


@router.post("/campaigns/{name}/actions/plan", response_class=Response, responses={**documented(404, 409, 502, 503), **_PLAN})
async def plan_campaign(services: Here, name: str) -> Response:
    """Look at the cloud, plan, and store the plan with its report. The answer is the plan, smooth or not."""
    plan = await services.campaigns.plan(name)
    return Response(plan.model_dump_json(by_alias=True), media_type="application/json")


@router.post(
    "/campaigns/{name}/actions/start",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422, 502, 503),
    openapi_extra=dict(body("StartAction", required=False)),
)
async def start_campaign(services: Here, name: str, request: Request, response: Response) -> StartedView:
    """Start. Refused when the plan is not smooth, when the cloud changed beyond it, or when another campaign runs."""
    action = await read_optional(request, StartAction)
    who = (services.ctx.by or action.by) if action.accept_point_of_no_return else ""
    started = await services.campaigns.start(
        name, action.plan, accept_drift=action.accept_drift, accept_outage=action.accept_outage, past_no_return=who
    )
    response.headers["Location"] = f"/v1/campaigns/{started.name}"
    plan, inventory = await services.ctx.book.plan(str(started.plan))
    spec = (await services.ctx.book.campaign(name)).spec
    short = short_of_time(plan, spec, inventory, services.ctx.clock.now())
    return StartedView(**shapes.campaign_summary(started).model_dump(), short_of_time=short)


@router.post(
    "/campaigns/{name}/actions/replan",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422, 502, 503),
    openapi_extra=dict(body("ReplanAction", required=False)),
)
async def replan_campaign(services: Here, name: str, request: Request) -> ReplanView:
    """Plan the rest of a running campaign anew and follow that plan. Refused when it goes beyond what was approved."""
    action = await read_optional(request, ReplanAction)
    made = await services.campaigns.replan(name, accept_drift=action.accept_drift, dry_run=action.dry_run)
    return shapes.replan_view(made, followed=bool(made.lines) and not action.dry_run)


@router.post("/campaigns/{name}/actions/stage", status_code=202, responses=documented(404, 409, 502))
async def stage_campaign(services: Here, name: str) -> StagingView:
    """Bring the release's files onto the nodes of the plan now, before their turns; nothing that runs on them changes."""
    await services.campaigns.show(name)
    await staging.begin(services.ctx, name)
    return shapes.staging_view(*await staging.known(services.ctx, name))


@router.get("/campaigns/{name}/staging", responses=documented(404))
async def get_staging(services: Here, name: str) -> StagingView:
    """Which nodes have the release's files, and why others do not."""
    await services.campaigns.show(name)
    return shapes.staging_view(*await staging.known(services.ctx, name))


@router.get("/campaigns/{name}/verification", responses=documented(404))
async def verify_campaign(services: Here, name: str) -> VerificationView:
    """What the campaign did so far, checked against every rule that its plans had to hold to."""
    return shapes.verification_view(await prove(services.ctx, name))


@router.get("/campaigns/{name}/workloads", responses=documented(404, 422))
async def list_interruptions(services: Here, name: str, by: By = "vnf") -> Sequence[InterruptionView]:
    """How long each VNF, group or instance was impacted, and how many of them at once."""
    found = await interruptions(services.ctx, name, by)
    if by == "group":
        budgets = await spent(services.ctx, {one.name for one in found})
        found = [replace(one, spent_s=budgets[one.name].spent_s, budget_s=budgets[one.name].budget_s) for one in found]
    return [InterruptionView(**asdict(one)) for one in found]


@router.get("/campaigns/{name}/outages", responses=documented(404))
async def list_outages(services: Here, name: str) -> OutagesView:
    """When the probes found the service of a VNF away, and how they looked."""
    return shapes.outages_view(*await outages(services.ctx, name))


@router.get("/campaigns/{name}/workloads/{instance}", responses=documented(404))
async def list_impacts(services: Here, name: str, instance: str) -> Sequence[ImpactView]:
    """The impacts of one instance, oldest first."""
    return [shapes.impact_view(row) for row in await impacts_of(services.ctx, name, instance)]


@router.post(
    "/campaigns/{name}/actions/pause",
    status_code=202,
    responses=documented(404, 409, 422),
    openapi_extra=dict(body("StateAction", required=False)),
)
async def pause_campaign(services: Here, name: str, request: Request) -> CampaignSummary:
    """No step begins any more; those under way end."""
    action = await read_optional(request, StateAction)
    return shapes.campaign_summary(await services.campaigns.pause(name, action.reason))


@router.post(
    "/campaigns/{name}/actions/resume",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422, 502, 503),
    openapi_extra=dict(body("ResumeAction", required=False)),
)
async def resume_campaign(services: Here, name: str, request: Request) -> CampaignSummary:
    """Go on; what failed so far is accepted by this. A point of no return is accepted by its own word only."""
    action = await read_optional(request, ResumeAction)
    who = (services.ctx.by or action.by) if action.accept_point_of_no_return else ""
    return shapes.campaign_summary(await services.campaigns.resume(name, past_no_return=who))


@router.post(
    "/campaigns/{name}/actions/abort",
    status_code=202,
    responses=documented(404, 409, 422),
    openapi_extra=dict(body("StateAction", required=False)),
)
async def abort_campaign(services: Here, name: str, request: Request) -> CampaignSummary:
    """Start nothing more and put the nodes that are not changed yet back in service."""
    action = await read_optional(request, StateAction)
    return shapes.campaign_summary(await services.campaigns.abort(name, action.reason))


@router.post(
    "/campaigns/{name}/actions/approve",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422),
    openapi_extra=dict(body("ApproveAction")),
)
async def approve_campaign(services: Here, name: str, request: Request) -> CampaignSummary:
    """Open a manual gate that the campaign waits at, or one before a campaign that has not begun."""
    action = await read(request, ApproveAction)
    await gates.approve(services.ctx, name, action.gate, action.reason)
    return shapes.campaign_summary((await services.campaigns.show(name)).row)
