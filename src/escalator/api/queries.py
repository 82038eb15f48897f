"""Query parameters that a route does not have are refused: a filter that nobody reads would look like one that all pass."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from escalator.model.codes import Code
from escalator.model.errors import InputError, Problem


def only_known(request: Request) -> None:
    """Raise InputError that names each query parameter which the route does not have, and those that it has."""
    route = request.scope.get("route")
    known = sorted(_names(route.dependant)) if isinstance(route, APIRoute) else []
    problems = [Problem(name, _said(name, known)) for name in dict.fromkeys(request.query_params) if name not in known]
    if problems:
        raise InputError(Code.API_BODY, "The request is not valid.", problems=problems)


def _names(dependant: Dependant) -> Iterator[str]:
    """Names that the route itself reads, and those that what it depends on reads."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)


def _said(name: str, known: list[str]) -> str:
    if not known:
        return "unknown query parameter; there is none here"
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown query parameter; {hint}known are {', '.join(known)}"
