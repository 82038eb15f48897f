"""The emergency freeze of everything."""

from __future__ import annotations

from fastapi import APIRouter, Request

from escalator.api.actions import HoldAction
from escalator.api.details import freeze_view
from escalator.api.documents import body, read_optional
from escalator.api.problems import documented
from escalator.api.services import Here
from escalator.api.times import stamp
from escalator.api.views import FreezeView
from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.upgrade_manager.freezing import begin_freeze, end_freeze

router = APIRouter(tags=["campaigns"])


@router.get("/freeze")
async def show_freeze(services: Here) -> FreezeView:
    """Whether everything is frozen, since when and why."""
    return await freeze_view(services.ctx) or FreezeView(frozen=False)


@router.post(
    "/freeze/actions/begin",
    status_code=202,
    responses=documented(413, 415, 422, 503),
    openapi_extra=dict(body("HoldAction", required=False)),
)
async def begin(services: Here, request: Request) -> FreezeView:
    """Let nothing begin in any campaign. Nodes whose software is being changed are finished, others give their turns back."""
    action = await read_optional(request, HoldAction)
    made = await begin_freeze(services.ctx, action.reason)
    return FreezeView(frozen=True, since=stamp(made.since), reason=made.reason)


@router.post("/freeze/actions/end", status_code=202, responses=documented(409, 503))
async def end(services: Here) -> FreezeView:
    """Let campaigns go on; what is left of each is planned anew."""
    if not await end_freeze(services.ctx):
        raise ConflictError(Code.UPG_NOT_FROZEN, "Nothing is frozen.", remedy="escalator freeze show")
    return FreezeView(frozen=False)
