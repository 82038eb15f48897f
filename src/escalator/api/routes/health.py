"""Whether the server lives, and whether it can work. No token is needed: load balancers and supervisors ask this."""

from __future__ import annotations

from fastapi import APIRouter

from escalator.api.problems import documented
from escalator.api.services import Here
from escalator.api.views import Health

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", responses=documented(503))
async def readyz(services: Here) -> Health:
    """Storage answers too."""
    await services.ctx.store.campaigns.state("")
    return Health(status="ready")
