"""Request bodies that are documents: YAML or JSON, of bounded size, with a type that no web form can send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from escalator.api.bodies import read_body
from escalator.model.codes import Code
from escalator.model.document import Source, load, parse
from escalator.model.reading import beside

MAX_DOCUMENT_BYTES = 1024 * 1024
"""Campaigns and registrations have a few kilobytes; a registration with ten thousand instances has 400 kB."""
JSON = "application/json"
TYPES = (JSON, "application/yaml", "application/x-yaml", "text/yaml")

M = TypeVar("M", bound=BaseModel)


async def read_text(request: Request) -> bytes:
    """Return the body of a request that carries a document; answers 415 when it says that it carries something else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise HTTPException(415, f"Send one of {', '.join(TYPES)}.")
    return await read_body(request, MAX_DOCUMENT_BYTES)


async def read(request: Request, kind: type[M]) -> M:
    """Return the body as a model; raises InputError with every problem."""
    return await beside(await read_text(request), lambda text: load(kind, parse(text), code=Code.API_BODY))


async def read_optional(request: Request, kind: type[M]) -> M:
    """The same where the body may be left out."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return load(kind, Source({}))
    return await read(request, kind)


def body(kind: str, *, required: bool = True) -> Mapping[str, Any]:
    """What a route says in its OpenAPI document about such a body; `kind` is the name of a schema."""
    schema = {"schema": {"$ref": f"#/components/schemas/{kind}"}}
    return {"requestBody": {"required": required, "content": {JSON: schema, TYPES[1]: schema}}}
