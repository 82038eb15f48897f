"""The operators' app: REST API and events."""

from __future__ import annotations

import asyncio

from fastapi import Depends, FastAPI

from escalator.api.openapi import describe
from escalator.api.problems import add_problem_handlers, documented
from escalator.api.queries import only_known
from escalator.api.routes import (
    backups,
    campaigns,
    constraints,
    events,
    freeze,
    health,
    nodes,
    notices,
    releases,
    rollbacks,
    server,
    vnfms,
)
from escalator.api.security import Guard, Tokens, hosts_of
from escalator.api.services import Running, Services


def operators_app(services: Services, closing: asyncio.Event | None = None) -> FastAPI:
    """Return the app of the operators' listener. Streams end when `closing` is set."""
    app = bare_app()
    app.state.running = Running(services, closing or asyncio.Event())
    tokens = Tokens(services.token, services.settings.server.tokens)
    app.add_middleware(Guard, tokens=tokens, hosts=hosts_of(services.settings.server))
    return app


def bare_app() -> FastAPI:
    """Return the app with its routes only: enough for its OpenAPI document, and guarded by nothing."""
    app = FastAPI(title="Escalator", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    add_problem_handlers(app)
    app.include_router(health.router)
    for part in (campaigns, nodes, releases, vnfms, notices, constraints, backups, events, freeze, rollbacks, server):
        # Health is left out: a supervisor's own parameters are no reason to call a server dead.
        app.include_router(part.router, prefix="/v1", responses=documented(401, 403, 422), dependencies=[Depends(only_known)])
    describe(app)
    return app
