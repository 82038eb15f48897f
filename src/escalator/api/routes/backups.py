"""What is kept of nodes: seen, verified, put back, let go."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from escalator.api.actions import PruneAction, RestoreAction
from escalator.api.backup_views import BackupView, PrunedView, VerifiedView, backup_view, pruned_view, verified_view
from escalator.api.documents import body, read_optional
from escalator.api.problems import documented
from escalator.api.services import Here, Services
from escalator.model.backup import NodeBackup

router = APIRouter(tags=["backups"])


@router.get("/backups")
async def list_backups(services: Here, campaign: str | None = None, node: str | None = None) -> Sequence[BackupView]:
    """All backups, those of a campaign, of a node, or of both; newest first."""
    kept = await services.backups.kept_by(node)
    return [backup_view(row, kept.get(row.id)) for row in await services.backups.list(campaign, node)]


@router.get("/backups/{backup}", responses=documented(404))
async def get_backup(services: Here, backup: str) -> BackupView:
    """One backup, and where its restore stands."""
    return await _view(services, await services.backups.get(backup))


@router.post("/backups/{backup}/actions/verify", responses=documented(404, 409, 502, 503))
async def verify_backup(services: Here, backup: str) -> VerifiedView:
    """Read everything that it holds on its node and compare it with its digest."""
    return verified_view(*await services.backups.verify(backup))


@router.post(
    "/backups/{backup}/actions/restore",
    status_code=202,
    responses=documented(404, 409, 413, 415, 422, 502, 503),
    openapi_extra=dict(body("RestoreAction", required=False)),
)
async def restore_backup(services: Here, backup: str, request: Request, response: Response) -> BackupView:
    """Begin to put its node back on it. Refused while a campaign is active, for instances on the node, and for its clusters."""
    action = await read_optional(request, RestoreAction)
    begun = await services.backups.restore(backup, accept_impact=action.accept_impact, accept_cluster=action.accept_cluster)
    response.headers["Location"] = f"/v1/backups/{quote(backup)}"  # not before it is known that there is one
    return await _view(services, begun)


@router.post(
    "/backups/actions/prune",
    responses=documented(413, 415, 422, 503),
    openapi_extra=dict(body("PruneAction", required=False)),
)
async def prune_backups(services: Here, request: Request) -> PrunedView:
    """Let go what the settings' retention lets go, or all from before a release; never what a campaign may still need."""
    action = await read_optional(request, PruneAction)
    return pruned_view(await services.backups.prune(dry_run=action.dry_run, release=action.release), dry_run=action.dry_run)


async def _view(services: Services, row: NodeBackup) -> BackupView:
    """One backup, and what keeps it."""
    return backup_view(row, (await services.backups.kept_by(row.node)).get(row.id))
