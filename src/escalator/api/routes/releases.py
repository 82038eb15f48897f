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
from escalator.api.upload import receive_folder
from escalator.api.views import ReleaseView

router = APIRouter(tags=["releases"])
_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
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
            }
        },
    }
}


@router.post("/releases", status_code=201, responses=documented(409, 413, 415, 422), openapi_extra=_UPLOAD)
async def import_release(services: Here, request: Request, response: Response) -> ReleaseView:
    """Take in a release document with its files; everything is checked before anything is kept."""
    incoming = services.settings.state / "incoming"
    incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=incoming) as folder:
        await receive_folder(request, Path(folder))
        row = await services.importer.import_folder(Path(folder))
    await write_down(services, "release.import", row.id)
    response.headers["Location"] = f"/v1/releases/{row.id}"
    return shapes.release_view(row)


@router.get("/releases")
async def list_releases(services: Here) -> Sequence[ReleaseView]:
    """All imported releases."""
    return [shapes.release_view(row) for row in await services.releases.list()]


@router.get("/releases/{name}/{version}", responses=documented(404))
async def get_release(services: Here, name: str, version: str) -> ReleaseView:
    """One release."""
    return shapes.release_view(await services.releases.get(f"{name}/{version}"))
