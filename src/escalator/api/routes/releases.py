"""Releases: taking them in, and looking at them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, Request, Response

from escalator.api import shapes
from escalator.api.history import write_down
from escalator.api.problems import documented
from escalator.api.services import Here
from escalator.api.upload import BUNDLE, is_bundle, receive_bundle, receive_folder, within_room
from escalator.api.views import ReleaseView
from escalator.storage.port import ReleaseRow

router = APIRouter(tags=["releases"])
_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            BUNDLE: {"schema": {"type": "string", "format": "binary", "description": "A release bundle, signed or not"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["document"],
                    "properties": {
                        "document": {"type": "string", "format": "binary", "description": "release.yaml; the first part"},
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "Each file; its filename is its path inside the release",
                        },
                    },
                }
            },
        },
    }
}


@router.post("/releases", status_code=201, responses=documented(409, 413, 415, 422, 507), openapi_extra=_UPLOAD)
async def import_release(services: Here, request: Request, response: Response) -> ReleaseView:
    """Take in a release: a bundle, or its document with its files. Everything is checked before anything is kept."""
    with within_room(services.settings.state):
        row = await (_bundle if is_bundle(request) else _folder)(services, request)
    view = _view(services, row)
    await write_down(services, "release.import", row.id, f"{shapes.signed_by(view)}; {row.digest}")
    response.headers["Location"] = f"/v1/releases/{row.id}"
    return view


async def _bundle(services: Here, request: Request) -> ReleaseRow:
    async with services.importer.receive() as incoming:
        await receive_bundle(request, incoming, services.settings.state)
        return await services.importer.import_bundle(incoming)


async def _folder(services: Here, request: Request) -> ReleaseRow:
    services.importer.refuse_folders()
    folders = services.settings.state / "incoming"
    folders.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folders) as folder:
        await receive_folder(request, Path(folder))
        return await services.importer.import_folder(Path(folder))


@router.get("/releases")
async def list_releases(services: Here) -> Sequence[ReleaseView]:
    """All imported releases."""
    return [_view(services, row) for row in await services.releases.list()]


@router.get("/releases/{name}/{version}", responses=documented(404))
async def get_release(services: Here, name: str, version: str) -> ReleaseView:
    """One release."""
    return _view(services, await services.releases.get(f"{name}/{version}"))


@router.delete("/releases/{name}/{version}", status_code=204, responses=documented(404, 409))
async def remove_release(services: Here, name: str, version: str) -> None:
    """Remove a release and the files that no other one has; refused while a campaign that is not final needs it."""
    release_id = f"{name}/{version}"
    await services.importer.remove(release_id, services.releases.require_unneeded)
    services.releases.forget(release_id)
    await write_down(services, "release.remove", release_id)


def _view(services: Here, row: ReleaseRow) -> ReleaseView:
    return shapes.release_view(row, services.releases.hindrance(row))
