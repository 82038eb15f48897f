"""Times and durations as people read them."""

from __future__ import annotations

import argparse
import math
from datetime import UTC, datetime

MOST_ROWS = 5000
"""Rows that the server gives in one answer at most."""


def seconds_of(value: str | float | None) -> float | None:
    """Unix seconds of an RFC 3339 time, or of what is Unix seconds already."""
    if value is None or isinstance(value, (int, float)):
        return value
    return datetime.fromisoformat(value).timestamp()


def duration(text: str) -> float:
    """A number of seconds among the arguments. Raises ArgumentTypeError for what is none."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("a number of seconds is expected")
    return value


def moment(text: str) -> float:
    """Unix seconds of an RFC 3339 time with its zone among the arguments. Raises ArgumentTypeError for anything else."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise argparse.ArgumentTypeError(f"a time with its zone is expected, as 2026-12-01T01:00:00+02:00, and not {text!r}")
    return value.timestamp()


def stated(text: str) -> str:
    """A point in time with its zone among the arguments, as it goes to the server. Raises ArgumentTypeError as `moment` does."""
    moment(text)
    return text


def how_many(text: str) -> int:
    """A number of rows among the arguments. Raises ArgumentTypeError for what no server gives in one answer."""
    if not text.isdecimal() or int(text) > MOST_ROWS:
        raise argparse.ArgumentTypeError(f"a number from 0 to {MOST_ROWS} is expected")
    return int(text)


def span(seconds: float | None) -> str:
    """`45 s`, `12 min 30 s`, `3 h 5 min`, `2 d 4 h`; nothing for what is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    left = max(0, round(seconds))
    days, hours, minutes = left // 86400, left // 3600 % 24, left // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {left % 60} s" if minutes < 10 and left % 60 else f"{minutes} min"
    return f"{left} s"


def exact(seconds: float) -> str:
    """As `span`, with what is shorter than ten seconds to the hundredth: `0.42 s`."""
    return f"{seconds:.2f} s" if 0 < seconds < 10 else span(seconds)


def offset(seconds: float) -> str:
    """A point on a plan's axis: `0:20:00` from its start."""
    left = round(seconds)
    return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"


def date_time(value: str | float | None) -> str:
    """`2026-01-31 15:04:55Z`."""
    seconds = seconds_of(value)
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"


def zoned(value: str) -> str:
    """`Sat 2026-12-05 01:00 (+02:00)`: an RFC 3339 time in the zone that it comes in; with its seconds where it has some."""
    moment = datetime.fromisoformat(value)
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return f"{moment:%a %Y-%m-%d} {clock} ({moment.isoformat(timespec='seconds')[-6:]})"
