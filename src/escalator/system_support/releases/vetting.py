"""Whether a release may be used: by new campaigns, as of today's trust and time; on a node, as it was taken in.

The two differ on purpose. What was approved and is under way does not stop because a key was changed or a day is over;
but it does stop when the stored document or a stored file is not what was taken in.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, EscalatorError, InputError, PermanentError
from escalator.model.release import File, Release
from escalator.storage.port import ReleaseRow, Releases
from escalator.system_support.releases.blobs import Blobs
from escalator.system_support.releases.envelope import read_envelope
from escalator.system_support.releases.folder import digest, hash_file
from escalator.system_support.releases.trust import Trust, as_recorded, unsigned

MEND = "Import the release again; find out who or what changed it."


class ReleaseVetting:
    """Vets releases of the store. Without `trust` nobody has to have signed; without `blobs` there are no files."""

    def __init__(self, releases: Releases, clock: Clock, trust: Trust | None = None, blobs: Blobs | None = None) -> None:
        self._releases = releases
        self._clock = clock
        self._trust = trust
        self._blobs = blobs
        self._whole: dict[Path, tuple[int, ...]] = {}
        """Files that had their hash, with what of them changes when they are written to."""

    def hindrance(self, row: ReleaseRow) -> EscalatorError | None:
        """Why no new campaign may be planned or started with it; None when one may."""
        try:
            self.require(parsed(row), row.envelope)
            if row.envelope is not None:
                _same_document(row)
        except EscalatorError as error:
            return error
        return None

    def require(self, release: Release, envelope: str | None) -> tuple[str, ...]:
        """Names of the trusted keys that signed it, as of now.

        Raises ConditionsError (`SYS_EXPIRED`, `SYS_SIGNATURES`).
        """
        expires_at = release.expires_at
        if expires_at is not None and expires_at <= self._clock.now():
            raise ConditionsError(Code.SYS_EXPIRED, f"{release.id} expired at {release.spec.expires}.")
        if self._trust is None:
            return ()
        if envelope is None:
            raise unsigned(self._trust.threshold)
        return self._trust.require(read_envelope(envelope.encode()))

    async def intact(self, release_id: str) -> None:
        """Make sure that document and files are those that were taken in, by the keys that counted then.

        Raises PermanentError (`SYS_SIGNATURES`, `SYS_DIGEST`). A file is hashed again only when it was written to since.
        """
        row = await self._releases.get(release_id)
        if row is None:
            return  # the engine says so itself
        if row.envelope is not None:
            try:
                _same_document(row)
                if row.signed_by:
                    as_recorded(row.signed_by).require(read_envelope(row.envelope.encode()))
            except (ConditionsError, InputError, ValueError) as error:
                message = f"What is stored of {release_id} is not what was signed: {error}"
                raise PermanentError(Code.SYS_SIGNATURES, message, remedy=MEND) from error
        if self._blobs is not None:
            await asyncio.to_thread(self._check_files, parsed(row))

    def _check_files(self, release: Release) -> None:
        for file in release.spec.files:
            why = self._damage(file)
            if why is not None:
                message = f"{file.path} of {release.id} {why} on the server's disk."
                raise PermanentError(Code.SYS_DIGEST, message, remedy=MEND)

    def _damage(self, file: File) -> str | None:
        path = self._blobs.path(file.sha256) if self._blobs is not None else Path()
        try:
            found = path.lstat()
            version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            if self._whole.get(path) == version:
                return None
            length_and_hash = hash_file(path)
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if length_and_hash != (file.length, file.sha256):
            return "has changed"
        self._whole[path] = version
        return None


def parsed(row: ReleaseRow) -> Release:
    """The stored document."""
    return Release.model_validate_json(json.dumps(row.document))


def _same_document(row: ReleaseRow) -> None:
    """Raises ConditionsError when the stored document is not the one in its envelope."""
    if not digest(parsed(row)) == row.digest == digest(read_envelope((row.envelope or "").encode()).release()):
        raise ConditionsError(Code.SYS_SIGNATURES, f"The stored document of {row.id} is not the one that was signed.")
