"""Notices to VNF managers and what they answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from escalator.api import shapes
from escalator.api.documents import body, read
from escalator.api.problems import documented
from escalator.api.services import Here, Services
from escalator.api.times import stamp
from escalator.api.views import NoticeDetails, NoticeView
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError
from escalator.model.notice import IN_ORDER, Notice, Reply
from escalator.vim_interface.reports import told

router = APIRouter(tags=["notices"])
_LINES = 5000
"""Answers of people in one campaign that are looked through for those to one notice."""


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
    people = await _by_people(services, notice, replies)
    return NoticeDetails(
        **shapes.notice_view(notice).model_dump(),
        resources=[resource.model_dump(mode="json") for resource in notice.resources],
        allowed_actions=notice.allowed_actions,
        report=told(notice),
        # What else is kept with a question is ours.
        details={} if notice.reply_token is not None or notice.type in IN_ORDER else notice.details,
        replies=[_shown(reply, by_person=reply["at"] in people) for reply in replies],
    )


def _shown(reply: Mapping[str, Any], *, by_person: bool) -> Mapping[str, Any]:
    return {"at": stamp(reply["at"]), "verdict": reply["verdict"], "by_person": by_person, "reply": reply["reply"]}


async def _by_people(services: Services, notice: Notice, replies: Sequence[Mapping[str, Any]]) -> Collection[float]:
    """When a person answered the notice here: every other reply is its VNF manager's own."""
    if not replies:
        return ()
    first = min(reply["at"] for reply in replies)
    lines = await services.ctx.store.events.read(limit=_LINES, campaign=notice.campaign, action="notice.reply", since=first)
    return {line.at for line in lines if line.object_id == notice.id}


@router.post(
    "/notices/{notice_id}/actions/reply",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422),
    openapi_extra=dict(body("Reply")),
)
async def reply_to_notice(services: Here, notice_id: str, request: Request) -> NoticeView:
    """Answer a notice as a person: for yourself, or for a VNF manager that cannot. The same answer again changes nothing."""
    await services.vim.reply(notice_id, await read(request, Reply), services.ctx.by)
    notice = await services.ctx.store.notices.get(notice_id)
    if notice is None:
        raise NotFoundError(Code.VIM_NOT_FOUND, f"There is no notice {notice_id!r}.")
    return shapes.notice_view(notice)
