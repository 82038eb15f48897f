"""Comparing versions as clouds report them."""

from __future__ import annotations


def older(version: str | None, than: str | None) -> bool:
    """Whether `version` comes before `than`; what is not told is not older."""
    return version is not None and than is not None and _parts(version) < _parts(than)


def _parts(version: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in version.replace("-", ".").split("."))
