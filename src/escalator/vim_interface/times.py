"""Times on the wire: RFC 3339, always with a zone."""

from __future__ import annotations

from datetime import UTC, datetime


def to_rfc3339(seconds: float) -> str:
    """Unix seconds as `2026-01-31T01:02:03.500Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_rfc3339(text: str) -> float:
    """Unix seconds of an RFC 3339 time; raises ValueError when it is none or has no zone."""
    if len(text) > 40:
        raise ValueError("is longer than any RFC 3339 time")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("has no zone")
    return moment.timestamp()
