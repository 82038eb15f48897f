"""Ctrl-C while modules are imported, which is most of a command's first second.

Python calls back into its import system as each module's lock is given up, and an exception in such a call is printed and
dropped: an interrupt that comes in this moment would be lost, and a command that watches would go on for ever.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit code of a command that was interrupted, as shells have it."""
_INTERRUPT = {signal.SIGINT}


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """Let an interrupt that comes meanwhile wait for the end: for imports, and for nothing that takes longer than a moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
