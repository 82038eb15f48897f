"""The nodes' listener: GET of release files that are known, nothing else. No folder is ever listed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from fastapi import FastAPI
from fastapi.responses import FileResponse

from escalator.api.problems import add_problem_handlers, documented
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError


class Files(Protocol):
    """What may be fetched."""

    def open(self, path: str) -> tuple[Path, str] | None:
        """File and content type of a path relative to the listener's root; None when nothing of ours has that path."""
        ...


def repository_app(files: Files) -> FastAPI:
    """Return the app of the repository listener."""
    app = FastAPI(title="Escalator release files", docs_url=None, redoc_url=None, openapi_url=None)
    add_problem_handlers(app)

    @app.head("/{path:path}", include_in_schema=False)
    @app.get("/{path:path}", response_class=FileResponse, responses=documented(404))
    async def get_file(path: str) -> FileResponse:
        """Send one file, or a range of it."""
        found = files.open(path)
        if found is None or not found[0].is_file():
            raise NotFoundError(Code.API_NOT_FOUND, "There is no such file.")
        file, content_type = found
        return FileResponse(file, media_type=content_type)

    return app
