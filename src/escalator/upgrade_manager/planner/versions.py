"""Comparing versions as clouds report them."""

from __future__ import annotations

DIGITS = 18
"""Of a number in a version: what has thousands cannot even be read."""


def older(version: str | None, than: str | None) -> bool:
    """Whether `version` comes before `than`; what is not told is not older."""
    return version is not None and than is not None and _parts(version) < _parts(than)


def _parts(version: str) -> tuple[tuple[int, str], ...]:
    parts = version.replace("-", ".").split(".")
    return tuple((int(part), "") if part.isdecimal() and len(part) <= DIGITS else (-1, part) for part in parts)
