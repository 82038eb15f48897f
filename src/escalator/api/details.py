"""A campaign as people watch it: its nodes, its progress, its plan's conditions, and whom it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.api import shapes
from escalator.api.services import Services
from escalator.api.times import stamp, stamp_or_none
from escalator.api.views import CampaignDetails, FreezeView, PlanSummary, UndeliveredView, WaitingView
from escalator.model.notice import Notice, NoticeState
from escalator.model.progress import NodeTask
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.freeze import current_freeze
from escalator.upgrade_manager.engine.states import ACTIVE, ENDED
from escalator.vim_interface.negotiation import is_deferred, reply_until

RECENT_NOTICES = 200
"""Only the newest notices can be open: nodes under way at once, times their VNF managers, are fewer."""
MOST_UNDELIVERED = 20
"""Who is not reached is most often the same one again; the history has them all."""
OPEN = (NoticeState.PENDING, NoticeState.DELIVERED)


async def campaign_details(services: Services, name: str) -> CampaignDetails:
    """Collect everything about one campaign. Raises NotFoundError."""
    view = await services.campaigns.show(name)
    row = view.row
    notices = await services.ctx.store.notices.list(name, RECENT_NOTICES)
    undelivered = await services.ctx.store.notices.list(name, given_up=True)
    summary = shapes.campaign_summary(row, view.tasks)
    return CampaignDetails(
        **summary.model_dump(),
        cloud=row.cloud,
        revision=row.revision,
        eta_s=view.eta_s,
        next=view.next,
        waiting=_waiting(row, notices, view.tasks),
        undelivered=_undelivered(undelivered[:MOST_UNDELIVERED]),
        undelivered_total=len(undelivered),
        plan_summary=await _plan(services, row),
        freeze=await freeze_view(services.ctx) if row.state in ACTIVE else None,
        tasks=[shapes.task_view(task, view.tries[task.node]) for task in view.tasks],
        document=row.document,
    )


async def freeze_view(ctx: Context) -> FreezeView | None:
    """The freeze that holds now."""
    found = await current_freeze(ctx)
    return None if found is None else FreezeView(frozen=True, since=stamp(found.since), reason=found.reason)


async def _plan(services: Services, row: CampaignRow) -> PlanSummary | None:
    if row.plan is None:
        return None
    plan, _ = await services.ctx.book.plan(row.plan)
    return shapes.plan_summary(plan)


def _waiting(row: CampaignRow, notices: Sequence[Notice], tasks: Sequence[NodeTask]) -> list[WaitingView]:
    if row.state not in ACTIVE:
        return []
    # Notices are read a moment after the turns: nobody is waited for about a node whose turn had ended by then.
    over = {task.id for task in tasks if task.state in ENDED}
    return [
        WaitingView(
            vnfm=notice.vnfm,
            notice=notice.id,
            node=notice.node,
            since=stamp(notice.created_at),
            reply_by=stamp_or_none(notice.reply_by),
            deferred_until=stamp_or_none(reply_until(notice.reply)),
            delivered=notice.state is not NoticeState.PENDING,
        )
        for notice in notices
        if notice.task is not None and _is_open(notice) and notice.task not in over
    ]


def _is_open(notice: Notice) -> bool:
    """Who has asked for more time is waited for, too: also before that is taken up, as another one still says nothing."""
    return notice.state in OPEN or (notice.state is NoticeState.ANSWERED and is_deferred(notice))


def _undelivered(notices: Sequence[Notice]) -> list[UndeliveredView]:
    return [
        UndeliveredView(
            vnfm=notice.vnfm,
            notice=notice.id,
            node=notice.node,
            notification_type=notice.type.value,
            code=notice.error_code,
            message=notice.error,
        )
        for notice in notices
    ]
