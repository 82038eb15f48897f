"""A campaign as people watch it: its nodes, its progress, its plan's conditions, and whom it waits for."""

from __future__ import annotations

from escalator.api import shapes
from escalator.api.services import Services
from escalator.api.times import stamp, stamp_or_none
from escalator.api.views import CampaignDetails, PlanSummary, WaitingView
from escalator.model.notice import NoticeState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.states import ACTIVE

RECENT_NOTICES = 200
"""Only the newest notices can be open: nodes under way at once, times their VNF managers, are fewer."""
OPEN = (NoticeState.PENDING, NoticeState.DELIVERED)


async def campaign_details(services: Services, name: str) -> CampaignDetails:
    """Collect everything about one campaign. Raises NotFoundError."""
    view = await services.campaigns.show(name)
    row = view.row
    summary = shapes.campaign_summary(row, view.tasks)
    return CampaignDetails(
        **summary.model_dump(),
        cloud=row.cloud,
        revision=row.revision,
        eta_s=view.eta_s,
        next=view.next,
        waiting=await _waiting(services, row),
        plan_summary=await _plan(services, row),
        tasks=[shapes.task_view(task) for task in view.tasks],
        document=row.document,
    )


async def _plan(services: Services, row: CampaignRow) -> PlanSummary | None:
    if row.plan is None:
        return None
    plan, _ = await services.ctx.book.plan(row.plan)
    return shapes.plan_summary(plan)


async def _waiting(services: Services, row: CampaignRow) -> list[WaitingView]:
    if row.state not in ACTIVE:
        return []
    return [
        WaitingView(
            vnfm=notice.vnfm,
            notice=notice.id,
            node=notice.node,
            since=stamp(notice.created_at),
            reply_by=stamp_or_none(notice.reply_by),
            delivered=notice.state is NoticeState.DELIVERED,
        )
        for notice in await services.ctx.store.notices.list(row.name, RECENT_NOTICES)
        if notice.task is not None and notice.state in OPEN
    ]
