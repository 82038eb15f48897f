"""What VNF managers made for OpenStack Fenix are told of a session beside its events: when it begins, and its `metadata`.

The metadata hints at new capabilities. A session is given it by who starts it; of any other campaign it is the release, with
the version that it brings to each layer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from escalator.model.codes import Code
from escalator.model.document import Source, load
from escalator.model.errors import InputError, Problem
from escalator.model.release import Release
from escalator.storage.port import Store

METADATA = "fenix-metadata"
"""What a campaign remembers of the metadata that its session was given."""
BEGINS_AT = "begins_at"
"""What a campaign remembers of when its first window opens, Unix seconds."""
MAX_CHARACTERS = 255
"""AODH cuts traits off there, and clients that evaluate one which is cut off fail."""
MAX_DEPTH = 5
MAX_KNOWN = 100
"""Campaigns whose hints are kept at hand; they never change."""
_PLAIN = re.compile(r"[^'\"\\\x00-\x1f\x7f]*")


def literal(value: object) -> str:
    """Return a value as text that Python and YAML read alike; raises ValueError for what they would read differently."""
    return _literal(value, MAX_DEPTH)


def _literal(value: object, depth: int) -> str:
    if depth < 0:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    match value:
        case bool() | int():
            return repr(value)
        case float() if math.isfinite(value):
            return repr(value)
        case str() if _PLAIN.fullmatch(value):
            return f"'{value}'"
        case Mapping():
            return "{" + ", ".join(f"{_literal(str(k), 0)}: {_literal(v, depth - 1)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_literal(one, depth - 1) for one in value) + "]"
    raise ValueError("has quotes, backslashes, control characters, null, or a number without an end")


def problem_of(metadata: Mapping[str, Any]) -> Problem | None:
    """Return why clients could not read this metadata; None when they can."""
    try:
        text = literal(metadata)
    except ValueError as error:
        return Problem("metadata", f"{error}, which clients cannot read")
    if len(text) > MAX_CHARACTERS:
        return Problem("metadata", f"has {len(text)} characters as clients read it; {MAX_CHARACTERS} can be read")
    return None


@dataclass(frozen=True, slots=True)
class Hint:
    """What the events of one campaign say of it."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    begins_at: float | None = None
    """When its first window opens, Unix seconds; null where that is not known."""


class Hints:
    """The hints of each campaign."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Hint] = {}

    async def of(self, campaign: str) -> Hint:
        """What its events say; no metadata of a release that is not there, or whose words clients could not read."""
        if campaign not in self._known:
            while len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            memo = await self._store.tasks.memo(campaign)
            given, begins_at = memo.get(METADATA), memo.get(BEGINS_AT)
            metadata = await self._released(campaign) if given is None else dict(given)
            self._known[campaign] = Hint(metadata, None if begins_at is None else float(begins_at))
        return self._known[campaign]

    async def _released(self, campaign: str) -> Mapping[str, Any]:
        row = await self._store.campaigns.get(campaign)
        release = "" if row is None else str((row.document.get("spec") or {}).get("release") or "")
        found = await self._store.releases.get(release) if release else None
        if found is None:
            return {}
        try:
            brings = load(Release, Source(found.document), code=Code.CFG_DOCUMENT).brings
        except InputError:
            return {}  # of a later version of the format
        metadata = {"release": release, **brings}
        return {} if problem_of(metadata) else metadata
