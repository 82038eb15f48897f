"""Work without the collector of reference cycles: a plan makes millions of objects and next to no cycle, for a few seconds."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """While this lasts nothing looks for cycles: each look would go over all that has been made so far."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            # What was made becomes old as it is; else the next object made would have all of it looked through.
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
