"""The machine's trust store, read again when its files have changed: to read it for every look would hold up all else here."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

Seen = tuple[tuple[str, int, int, int], ...]


def trusted() -> ssl.SSLContext:
    """TLS by it: certificates and names are verified. The same object as before while the trust store is the same."""
    return _read(seen())


def seen() -> Seen:
    """What tells whether the trust store has changed: of its file and its folder which they are, when written, how large."""
    paths = ssl.get_default_verify_paths()
    return tuple(_look(path) for path in (paths.cafile, paths.capath) if path is not None)


def _look(path: str) -> tuple[str, int, int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return (path, 0, 0, 0)
    # A file that was put in the place of another may be older and as large as that.
    return (path, found.st_ino, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1)
def _read(_: Seen) -> ssl.SSLContext:
    return ssl.create_default_context()
