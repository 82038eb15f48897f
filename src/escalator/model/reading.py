"""Reading documents beside everything else: a large one takes seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

SMALL = 16 * 1024
"""Up to so many characters or bytes a document is read at once: it takes less than a tenth of a second."""

T = TypeVar("T")
S = TypeVar("S", bound=str | bytes)


async def beside(text: S, read: Callable[[S], T]) -> T:
    """What `read` makes of the text, and whatever it raises; of a large one in a thread.

    A megabyte of YAML takes seconds, and whoever else asks, and every node that is under way, goes on meanwhile.
    """
    return read(text) if len(text) <= SMALL else await asyncio.to_thread(read, text)
