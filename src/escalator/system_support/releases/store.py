"""The store of releases: import, look up, and keep the repository in step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.release import Release
from escalator.storage.port import ReleaseRow, Releases
from escalator.system_support.releases.blobs import Blobs
from escalator.system_support.releases.deb import read_deb
from escalator.system_support.releases.folder import Found, read_folder
from escalator.system_support.releases.repository import Repository


class ReleaseStore:
    """Releases of one manager: rows in storage, files under `state/releases`, repository under `state/repository`."""

    def __init__(self, state: Path, releases: Releases, clock: Clock) -> None:
        self._blobs = Blobs(state / "releases" / "sha256")
        self._releases = releases
        self._clock = clock
        self._importing = asyncio.Lock()
        self.repository = Repository(state / "repository", self._blobs)

    async def import_folder(self, folder: Path) -> ReleaseRow:
        """Check a release folder and keep it; importing the same again changes nothing.

        Raises InputError (`SYS_RELEASE`) with all problems, and ConflictError (`SYS_RELEASE_EXISTS`) when the release, or
        one of its packages in the same version, is there with other content.
        """
        found = await asyncio.to_thread(read_folder, folder)
        async with self._importing:
            rows = await self._releases.list()
            await asyncio.to_thread(self._refuse_conflicts, found, rows)
            await asyncio.to_thread(self._keep, found)
            document = found.release.model_dump(mode="json", by_alias=True)
            row = ReleaseRow(id=found.release.id, digest=found.digest, document=document, imported_at=self._clock.now())
            await self._releases.add(row)
            await self._rebuild()
        return row

    async def refresh(self) -> None:
        """Bring the repository in step with storage; call once at start, after whatever stopped the manager last."""
        async with self._importing:
            await self._rebuild()

    async def get(self, release_id: str) -> Release:
        """The release of that id, `name/version`. Raises NotFoundError (`SYS_RELEASE_NOT_FOUND`)."""
        row = await self._releases.get(release_id)
        if row is None:
            raise NotFoundError(Code.SYS_RELEASE_NOT_FOUND, f"There is no release {release_id!r}.")
        return _release(row)

    def path(self, sha256: str) -> Path:
        """Where the file of that hash lies."""
        return self._blobs.path(sha256)

    def _refuse_conflicts(self, found: Found, rows: Sequence[ReleaseRow]) -> None:
        if any(row.id == found.release.id and row.digest != found.digest for row in rows):
            message = f"{found.release.id} was imported before with other content."
            raise ConflictError(Code.SYS_RELEASE_EXISTS, message, remedy="Give the release a new version.")
        theirs = {}
        for row in rows:
            for file in _release(row).spec.files:
                if file.path.endswith(".deb"):
                    deb = read_deb(self._blobs.path(file.sha256))
                    theirs[deb.name, deb.version, deb.arch] = (file.sha256, row.id)
        for file in found.release.spec.files:
            if not file.path.endswith(".deb"):
                continue
            deb = read_deb(found.paths[file.path])
            sha256, owner = theirs.get((deb.name, deb.version, deb.arch), (file.sha256, ""))
            if sha256 != file.sha256:
                message = f"{deb.name} {deb.version} is part of {owner} with other content."
                raise ConflictError(Code.SYS_RELEASE_EXISTS, message, remedy="Build the package with a new version.")

    def _keep(self, found: Found) -> None:
        for file in found.release.spec.files:
            self._blobs.add(found.paths[file.path], file.sha256)

    async def _rebuild(self) -> None:
        releases = [_release(row) for row in await self._releases.list()]
        await asyncio.to_thread(self.repository.rebuild, releases, self._clock.now())


def _release(row: ReleaseRow) -> Release:
    return Release.model_validate_json(json.dumps(row.document))
