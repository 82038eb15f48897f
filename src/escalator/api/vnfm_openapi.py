"""What the framework cannot know for the OpenAPI document of the VNF managers' listener."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from escalator.api.openapi import complete
from escalator.api.problems import documented
from escalator.vim_interface.messages import API_VERSION, REPLIES

_NATIVE = "/vi-vnfm/"
_VERSION = {
    "name": "Version",
    "in": "header",
    "required": False,
    "description": f"The version that you speak, `{API_VERSION}`; any without it. Another major version is refused with 406.",
    "schema": {"type": "string", "pattern": r"^1(\.[0-9]{1,4}){0,2}$", "example": API_VERSION},
}
_OPTIONAL: list[dict[str, list[str]]] = [{}, {"token": []}, {"password": []}]
"""A reply address is enough, unless the operator asks for the credential, too."""
_FRAMEWORKS = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> None:
    """Let the app's document have the `Version` header, who may use a reply address, and problems as they are."""
    complete(app, _completed)


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _mend(path, operation)
    for notified in document.get("webhooks", {}).values():
        for operation in notified.values():
            operation["responses"].pop("422", None)
    schemas = document.get("components", {}).get("schemas", {})
    for name in _FRAMEWORKS:
        schemas.pop(name, None)
    return document


def _mend(path: str, operation: dict[str, Any]) -> None:
    if "application/json" in operation["responses"].get("422", {}).get("content", {}):
        operation["responses"]["422"] = documented(422)[422]
    if path.startswith(_NATIVE):
        operation["parameters"] = [*operation.get("parameters", ()), _VERSION]
    if path.startswith(REPLIES):
        operation["security"] = _OPTIONAL
