"""Headers of the native interface: the version that both sides speak, and what a body may be."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request
from starlette.exceptions import HTTPException

from escalator.vim_interface.messages import API_VERSION

HEADERS: Mapping[str, str] = {"Version": API_VERSION, "Cache-Control": "no-store"}
"""With every response. Reply addresses are secrets: no cache keeps what they show."""
_MAJOR = API_VERSION.partition(".")[0]


def check_headers(request: Request) -> None:
    """Check version and type of a request with a body; answers 406 or 415."""
    check_version(request)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "Send application/json.")


def check_version(request: Request) -> None:
    """A missing version means any; another major version is not spoken here: answers 406."""
    if request.headers.get("version", API_VERSION).partition(".")[0] != _MAJOR:
        raise HTTPException(406, f"Send the header Version: {API_VERSION}, or none.")
