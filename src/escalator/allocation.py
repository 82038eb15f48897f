"""How the C library hands out memory, told once to a server that lives for weeks.

By default glibc keeps up to eight heaps per processor, one for each busy thread, and each grows to the largest document that
ever passed through it. The engine's threads hold Python's global lock most of the time, so they gain nothing by them.
Source: mallopt(3) and malloc_trim(3) of the Linux manual pages.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8


def share_one_heap() -> bool:
    """Let all threads use one heap, from now on; whether the C library knows such a setting."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    return set_option is not None and bool(set_option(_M_ARENA_MAX, 1))


def give_back() -> bool:
    """Give memory that nothing uses any more back to the system, as after a large plan; whether there was any to give."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
