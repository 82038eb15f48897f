"""Errors as `application/problem+json` (RFC 9457), for every listener.

`status`, `title` and `detail` are the standard's; `code` is ours, the same in log, event and CLI; `problems` lists every
fault of an input; `remedy` says what a person can do. Nothing from inside an error that is not ours is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from escalator.model.codes import Code
from escalator.model.document import MAX_PROBLEMS, dotted, plainly
from escalator.model.errors import EscalatorError, InputError, Problem

MEDIA_TYPE = "application/problem+json"
_STATUS_OF: Mapping[Code, int] = {
    Code.API_TOKEN: 401,
    Code.API_TOO_LARGE: 413,
    Code.API_ROOM: 507,
    Code.API_METHOD: 405,
    Code.VIM_CHANGED: 412,
}
"""Codes that say more than their kind of error does."""
_CODE_OF: Mapping[int, Code] = {
    401: Code.API_TOKEN,
    403: Code.API_HOST,
    404: Code.API_NOT_FOUND,
    405: Code.API_METHOD,
    408: Code.API_TIMEOUT,
    413: Code.API_TOO_LARGE,
}
_BAD_INPUT = frozenset({404, 405, 406, 413, 415, 422})
"""Statuses of requests that are wrong whoever sends them."""
_WORDS: Mapping[int, str] = {
    401: "The credential is missing, or it is nobody's here.",
    406: "The version of the interface that was asked for is not spoken here.",
    415: "The body is of a type that is not taken here.",
}
"""What is said where the status's own words would tell less."""
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^ESC-[A-Z]{3}-[0-9]{3}$"},
        "exit_code": {"type": "integer"},
        "remedy": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {
                    "path": {"type": "string"},
                    "message": {"type": "string"},
                    "line": {"type": ["integer", "null"]},
                },
            },
        },
    },
}
"""JSON Schema of a problem, for OpenAPI documents."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route says in its OpenAPI document about the errors it may answer."""
    content = {MEDIA_TYPE: {"schema": dict(SCHEMA)}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def problem(  # noqa: PLR0913 - each is a member of a problem
    status: int,
    code: Code,
    detail: str,
    *,
    remedy: str = "",
    problems: Sequence[Problem] = (),
    exit_code: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response for a failure; `exit_code` is what a command line ends with."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code.value,
    }
    if exit_code is not None:
        body["exit_code"] = exit_code
    if remedy:
        body["remedy"] = remedy
    if problems:
        body["problems"] = [{"path": p.path, "message": p.message, "line": p.line} for p in problems[:MAX_PROBLEMS]]
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def add_problem_handlers(app: FastAPI, headers: Mapping[str, str] | None = None) -> None:
    """Let the app answer every error in this form. `headers` go with each, such as the version of an interface."""
    always = dict(headers or {})

    async def ours(_: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, EscalatorError):
            raise error
        status = _STATUS_OF.get(error.code, error.http_status)
        problems = error.problems if isinstance(error, InputError) else ()
        return problem(
            status,
            error.code,
            error.message,
            remedy=error.remedy,
            problems=problems,
            exit_code=error.exit_code,
            headers=always | _extra(status),
        )

    async def routing(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            raise error
        code = _CODE_OF.get(error.status_code, Code.API_BODY if error.status_code < 500 else Code.API_INTERNAL)
        given = {**(error.headers or {}), **always}
        if error.status_code == 405:
            given["Allow"] = ", ".join(_allowed(request))
        meaning = HTTPStatus(error.status_code)
        # What is said beside the status's own words is what helps.
        remedy = "" if error.detail == meaning.phrase else str(error.detail)
        ends = 2 if error.status_code in _BAD_INPUT else None
        said = _WORDS.get(error.status_code) or meaning.description or meaning.phrase
        return problem(error.status_code, code, said, remedy=remedy, exit_code=ends, headers=given)

    async def validation(_: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, RequestValidationError):
            raise error
        problems = [Problem(dotted(tuple(item["loc"])), plainly(item)) for item in error.errors()]
        ends = InputError.exit_code
        return problem(422, Code.API_BODY, "The request is not valid.", problems=problems, exit_code=ends, headers=always)

    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        # The server logs the error itself; the caller learns nothing of what is inside.
        return problem(500, Code.API_INTERNAL, "An internal error; the log has the details.", headers=always)

    app.add_exception_handler(EscalatorError, ours)
    app.add_exception_handler(HTTPException, routing)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(Exception, unexpected)


def _allowed(request: Request) -> Sequence[str]:
    """The methods that some route takes at this path: the router names those of the first one that it finds."""
    asked = [(method, {**request.scope, "method": method}) for method in _METHODS]
    return [method for method, scope in asked if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)]


def _extra(status: int) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": "5"} if status == 503 else {}
