"""How the C library and Python hand out memory, told once to a server that lives for weeks.

By default glibc keeps up to eight heaps per processor, one for each busy thread, and each grows to the largest document that
ever passed through it. The engine's threads hold Python's global lock most of the time, so they gain nothing by them.
Source: mallopt(3) and malloc_trim(3) of the Linux manual pages.
"""

from __future__ import annotations

import ctypes
import gc

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
LARGE_BYTES = 128 * 1024
"""Blocks from this size on go back to the system as soon as they are free. Unless told so, glibc raises that to 32 MiB by and
by, and the text of each plan leaves a hole."""

CYCLE_THRESHOLD = 5_000
"""New objects between two looks for cycles: at some 100 bytes each, half a megabyte that may wait."""


def share_one_heap() -> bool:
    """Let all threads use one heap without large blocks, from now on; whether the C library knows such settings."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    return bool(set_option(_M_ARENA_MAX, 1)) and bool(set_option(_M_MMAP_THRESHOLD, LARGE_BYTES))


def look_less_for_cycles() -> None:
    """Let Python look for unreachable cycles of objects after more new ones than its default of 700, from now on.

    Most of our objects are let go by their count. At the default some 6 % of a campaign's processor time went there.
    """
    gc.set_threshold(CYCLE_THRESHOLD, *gc.get_threshold()[1:])


def give_back() -> bool:
    """Give memory that nothing uses any more back to the system, as after a large plan; whether there was any to give."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
