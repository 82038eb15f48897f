"""Whether the server lives, and whether it can work. No token is needed: load balancers and supervisors ask this."""

from __future__ import annotations

from fastapi import APIRouter, Request

from escalator.api.problems import documented
from escalator.api.services import Here, running_of
from escalator.api.views import Health

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", responses=documented(503))
async def readyz(services: Here, request: Request) -> Health:
    """The database answers and can be written, and so can the state directory: else 503 with the code `ESC-STO-001`."""
    await running_of(request).readiness.require(services.ctx, services.settings.state)
    return Health(status="ready")
