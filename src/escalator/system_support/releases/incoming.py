"""A bundle on its way into the store: checked and written as it comes, kept by nobody before all of it is right."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from escalator.model.release import File
from escalator.system_support.releases.bundle import BundleReader, Opened
from escalator.system_support.releases.durable import ClosedBeside, Closing, DurableFile
from escalator.system_support.releases.envelope import Envelope
from escalator.system_support.releases.folder import Found, check_contents, digest


class IncomingBundle:
    """Give it the bytes with `feed`, then take the release with `complete`; `close` removes what was not kept.

    `judge` is asked as soon as the document is known and raises what it will to refuse the bundle. All of it blocks.
    """

    def __init__(self, parent: Path, judge: Callable[[Opened], None]) -> None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(dir=parent))
        self._closing = Closing()
        self._reader = BundleReader(judge, self._sink)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes. Raises as `BundleReader` and `judge` do."""
        self._reader.feed(data)

    def complete(self) -> tuple[Found, Envelope]:
        """There are no more bytes: the release, with each file on disk, and the envelope around it."""
        opened = self._reader.finish()
        self._closing.wait()
        release = opened.release
        paths = {file.path: self._folder / file.sha256 for file in release.spec.files}
        check_contents(release, paths)
        return Found(release, digest(release), paths), opened.envelope

    def close(self) -> None:
        """Stop, and remove what was not kept."""
        try:
            self._reader.close()
        finally:
            self._closing.end()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _sink(self, file: File) -> ClosedBeside:
        return ClosedBeside(DurableFile(self._folder / file.sha256), self._closing)
