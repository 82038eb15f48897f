"""Files by content: each is kept once under its SHA-256, complete or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.errors import InputError, Problem

SYNCED_AT_ONCE = 8
"""More wait for the same journal."""


class Blobs:
    """A folder of files named by their SHA-256. Files are never changed; a crash leaves at most a stray `.part`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Where the file of that hash lies, or would."""
        return self._folder / sha256[:2] / sha256

    def add(self, source: Path, sha256: str) -> None:
        """Keep a copy. Raises InputError when the file's content changed since it was hashed."""
        target = self.path(sha256)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as out, os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                state = hashlib.sha256()
                while chunk := file.read(2**20):
                    state.update(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            if state.hexdigest() != sha256:
                problem = Problem(source.name, "this file changed while it was imported")
                raise InputError(Code.SYS_RELEASE, "The release changed while it was imported.", problems=[problem])
            part.replace(target)
            sync_folder(target.parent)
        finally:
            part.unlink(missing_ok=True)

    def add_all(self, sources: Mapping[str, Path]) -> None:
        """Keep copies, each by its hash. Raises as `add` does."""
        for sha256, source in sources.items():
            self.add(source, sha256)

    def adopt_all(self, sources: Mapping[str, Path]) -> None:
        """Take over files that have these hashes and are on disk, on the same file system. What was there is replaced."""
        for sha256, source in sources.items():
            target = self.path(sha256)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            source.replace(target)
        # After all of them: a file system that keeps a journal writes it once then.
        sync_all(sorted({self.path(sha256).parent for sha256 in sources}))

    def drop(self, sha256: str) -> None:
        """Remove the file of that hash; nothing happens when there is none."""
        self.path(sha256).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames inside the folder survive a power loss; of a file, its content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(paths: Sequence[Path]) -> None:
    """The same for many files or folders at once: the disk's journal is written for several of them together."""
    with ThreadPoolExecutor(SYNCED_AT_ONCE, "sync") as pool:
        for _ in pool.map(sync_folder, paths):
            pass
