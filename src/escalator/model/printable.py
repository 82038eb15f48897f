"""Nothing that came from elsewhere may steer the terminal of who reads it.

Reasons, messages and names in the server's answers and in files are other people's words: those of VNF managers, commands,
the cloud.
"""

from __future__ import annotations

from typing import Any

_ORDERING = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
"""Marks that turn the order of what is shown, and that break lines: what stands there would not be what is read."""
_CONTROL = (code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n")
"""Control characters (C0, DEL, C1), beside those that only lay text out."""
_STEERING = dict.fromkeys((*_CONTROL, *_ORDERING), "\N{REPLACEMENT CHARACTER}")


def printable(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Plain data with all control characters in its texts replaced, and marks that turn the order of what is read."""
    match value:
        case str():
            return value if value.isprintable() else value.translate(_STEERING)
        case dict():
            return {printable(key): printable(inner) for key, inner in value.items()}
        case list():
            return [printable(inner) for inner in value]
        case tuple():
            return tuple(printable(inner) for inner in value)
        case _:
            return value
