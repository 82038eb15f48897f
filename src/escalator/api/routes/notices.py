"""Notices to VNF managers and what they answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request

from escalator.api import shapes
from escalator.api.documents import body, read
from escalator.api.problems import documented
from escalator.api.services import Here
from escalator.api.times import stamp
from escalator.api.views import NoticeDetails, NoticeView
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.model.notice import IN_ORDER, Reply
from escalator.vim_interface.reports import told

router = APIRouter(tags=["notices"])


@router.get("/notices", responses=documented(422))
async def list_notices(
    services: Here, campaign: str | None = None, limit: Annotated[int, Query(ge=1, le=5000)] = 1000
) -> Sequence[NoticeView]:
    """Notices, newest first."""
    return [shapes.notice_view(notice) for notice in await services.ctx.store.notices.list(campaign, limit)]


@router.get("/notices/{notice_id}", responses=documented(404))
async def get_notice(services: Here, notice_id: str) -> NoticeDetails:
    """One notice with its instances and every reply that came to it, counted or not."""
    notice = await services.ctx.store.notices.get(notice_id)
    if notice is None:
        raise NotFoundError(Code.VIM_NOT_FOUND, f"There is no notice {notice_id!r}.", remedy="escalator notice list")
    replies = await services.ctx.store.notices.replies(notice_id)
    return NoticeDetails(
        **shapes.notice_view(notice).model_dump(),
        resources=[resource.model_dump(mode="json") for resource in notice.resources],
        allowed_actions=notice.allowed_actions,
        report=told(notice),
        # What else is kept with a question is ours.
        details={} if notice.reply_token is not None or notice.type in IN_ORDER else notice.details,
        replies=[{"at": stamp(reply["at"]), "verdict": reply["verdict"], "reply": reply["reply"]} for reply in replies],
    )


@router.post(
    "/notices/{notice_id}/actions/reply",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422),
    openapi_extra=dict(body("Reply")),
)
async def reply_to_notice(services: Here, notice_id: str, request: Request) -> NoticeView:
    """Answer a notice as a person: for yourself, or for a VNF manager that cannot. The same answer again changes nothing."""
    await services.vim.reply(notice_id, await read(request, Reply))
    notice = await services.ctx.store.notices.get(notice_id)
    if notice is None:
        raise NotFoundError(Code.VIM_NOT_FOUND, f"There is no notice {notice_id!r}.")
    return shapes.notice_view(notice)
