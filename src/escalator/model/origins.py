"""Where each part of settings comes from that are merged from several files and from variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from escalator.model.document import Source, dotted
from escalator.model.errors import Problem


@dataclass(frozen=True, slots=True)
class Origin:
    """One file or variable, and what it says."""

    name: str
    """As people are told: a path, or `variable ESCALATOR_LOG__LEVEL`."""
    source: Source


def located(problems: Iterable[Problem], origins: Sequence[Origin]) -> list[Problem]:
    """Say of each problem which file or variable it comes from: of those that speak of its path, the last one, as it wins.

    What nothing speaks of comes from a default, or is missing: the origin of what is around it is named then, if there is one.
    """
    return [_located(problem, origins) for problem in problems]


def _located(problem: Problem, origins: Sequence[Origin]) -> Problem:
    best: tuple[int, int | None, str] = (0, None, "")
    for origin in origins:
        for path in _paths(origin.source.data, ()):
            text = dotted(path)
            about = problem.path == text or problem.path.startswith((f"{text}.", f"{text}["))
            if about and len(text) >= best[0]:
                best = (len(text), origin.source.lines.get(path), origin.name)
    length, line, name = best
    return replace(problem, line=line, origin=name) if length else replace(problem, line=None)


def _paths(data: Any, above: tuple[str | int, ...]) -> Iterable[tuple[str | int, ...]]:  # noqa: ANN401 - plain data
    items = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*above, key)
        yield from _paths(value, (*above, key))
