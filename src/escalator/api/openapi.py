"""The OpenAPI documents. `python -m escalator.api.openapi docs/reference` writes them as they are committed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from escalator.api.actions import (
    ApproveAction,
    HoldAction,
    NodeAction,
    PruneAction,
    ReplanAction,
    RestoreAction,
    ResumeAction,
    RollbackAction,
    SkipAction,
    StartAction,
    StateAction,
    VnfdImport,
    VnfmChange,
)
from escalator.api.problems import MEDIA_TYPE, SCHEMA
from escalator.model.campaign import Campaign
from escalator.model.constraint import MaintenanceInfo
from escalator.model.inventory import Inventory
from escalator.model.notice import Reply, Vnfm
from escalator.model.plan import Plan
from escalator.model.release import Release

VERSION = "1.0"
"""Version of the interface under /v1, not of the program: it grows by extension only."""
ABOUT = """\
Operators' interface of Escalator. Every request but health, readiness and this document carries the bearer token.
Failures are `application/problem+json` with a stable `code`, what to do (`remedy`), every problem of an input
(`problems`), and what a command line ends with (`exit_code`). Query parameters that a call does not have are
refused. Times are RFC 3339 in UTC; durations end in `_s`.
"""
_WRITTEN = (Campaign, Inventory, Plan, Release, Vnfm, MaintenanceInfo, Reply)
_ACTIONS = (
    ApproveAction,
    StartAction,
    StateAction,
    ResumeAction,
    RollbackAction,
    NodeAction,
    SkipAction,
    HoldAction,
    ReplanAction,
    VnfdImport,
    VnfmChange,
    RestoreAction,
    PruneAction,
)
_DOCUMENTS = (*_WRITTEN, *_ACTIONS)


def describe(app: FastAPI) -> None:
    """Let the app's OpenAPI document carry the schemas of the documents that it takes and the way to authenticate."""
    app.version = VERSION
    app.description = ABOUT
    complete(app, _completed)


def complete(app: FastAPI, completed: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let the app's document be what `completed` makes of FastAPI's own, once."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = completed(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    modes = [(model, "validation") for model in _DOCUMENTS]
    _, schemas = models_json_schema(cast("Any", modes), ref_template="#/components/schemas/{model}")
    components = document.setdefault("components", {})
    known = components.setdefault("schemas", {})
    for name, schema in schemas["$defs"].items():
        known.setdefault(name, schema)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    for path in ("/healthz", "/readyz"):
        for operation in document["paths"][path].values():
            operation["security"] = []
    known["Problem"] = dict(SCHEMA)
    for operations in document["paths"].values():
        for operation in operations.values():
            _refer(operation["responses"])
    for unused in ("HTTPValidationError", "ValidationError"):
        known.pop(unused, None)
    return document


def _refer(responses: dict[str, Any]) -> None:
    """Let every failure name the one schema of problems: a copy each would be most of the document."""
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, response in responses.items():
        if status >= "400":
            response["content"] = problem


def documents() -> Mapping[str, str]:
    """Each committed file's name and content."""
    from escalator.api.app import bare_app  # noqa: PLC0415 - the app itself needs this module
    from escalator.api.fenix_sessions import sessions_router  # noqa: PLC0415 - as above
    from escalator.api.vnfm import vnfm_app  # noqa: PLC0415 - as above

    nothing, present = cast("Any", None), cast("Any", object())  # only routes are looked at; nothing is called
    outside = vnfm_app(nothing, nothing, present, present, present, present)
    outside.include_router(sessions_router(nothing, nothing))
    apps = {"openapi.json": bare_app(), "openapi-vnfm.json": outside}
    return {name: json.dumps(app.openapi(), indent=2, sort_keys=True) + "\n" for name, app in apps.items()}


if __name__ == "__main__":
    for name, text in documents().items():
        (Path(sys.argv[1]) / name).write_text(text)
