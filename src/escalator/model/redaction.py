"""Plain data as it may be shown: without the passwords that addresses hold."""

from __future__ import annotations

import re
from typing import Any

_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*@|((?:password|passwd|secret|token)=)[^&\s]+", re.IGNORECASE)


def redacted(value: Any) -> Any:  # noqa: ANN401 - plain data
    """The same data with passwords in addresses replaced by `***`."""
    if isinstance(value, dict):
        return {key: redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    if isinstance(value, str):
        return _PASSWORD.sub(lambda m: f"{m[2]}***" if m[2] else f"{m[1]}:***@", value)
    return value
