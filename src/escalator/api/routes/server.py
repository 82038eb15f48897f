"""The cloud as it is, the server's settings, and what is not put back yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Response

from escalator.api import shapes
from escalator.api.problems import documented
from escalator.api.services import Here
from escalator.api.views import RestorationView
from escalator.model.campaign import Migration
from escalator.model.redaction import redacted
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.earlier_sheet import rows_of_earlier
from escalator.upgrade_manager.engine.sheet import from_top_to_bottom

router = APIRouter(tags=["server"])
_INVENTORY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Inventory"}}}}
}


@router.get("/inventory", response_class=Response, responses={**documented(502, 503), **_INVENTORY})
async def get_inventory(services: Here) -> Response:
    """The real cloud as an inventory document, as `escalator plan` reads it."""
    inventory = await observed.inventory(services.ctx, Migration())
    return Response(inventory.model_dump_json(by_alias=True, exclude_defaults=False), media_type="application/json")


@router.get("/config")
async def get_config(services: Here) -> Mapping[str, Any]:
    """The settings in force. Secrets are not in them but in files; a password in an address is left out."""
    shown: Mapping[str, Any] = redacted(services.settings.model_dump(mode="json"))
    return shown


@router.get("/restorations")
async def list_restorations(services: Here) -> Sequence[RestorationView]:
    """The break-glass sheet: what Escalator changed and has not put back yet, with the commands to do it by hand."""
    rows = from_top_to_bottom(await services.ctx.store.restorations.open())
    return [shapes.restoration_view(row) for row in (*rows, *rows_of_earlier(services.settings.state))]
