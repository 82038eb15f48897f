"""The store of releases: import, look up, and keep the repository in step."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.release import File, Release
from escalator.storage.port import ReleaseRow, Releases
from escalator.system_support.releases.blobs import Blobs
from escalator.system_support.releases.bundle import Opened
from escalator.system_support.releases.deb import Deb, NotADebError, read_deb
from escalator.system_support.releases.envelope import Envelope, read_envelope
from escalator.system_support.releases.folder import Found, read_folder
from escalator.system_support.releases.incoming import IncomingBundle
from escalator.system_support.releases.repository import Repository
from escalator.system_support.releases.trust import Trust, unsigned
from escalator.system_support.releases.vetting import ReleaseVetting, parsed

Keep = Callable[[Mapping[str, Path]], None]
"""Keeps files by their hashes, or raises."""


class ReleaseStore:
    """Releases of one manager: rows in storage, files under `state/releases`, repository under `state/repository`.

    With a trust store, only bundles that enough of its keys have signed are taken in; without one, folders are as well, and
    nobody's signature is verified.
    """

    def __init__(self, state: Path, releases: Releases, clock: Clock, trust: Trust | None = None) -> None:
        self._blobs = Blobs(state / "releases" / "sha256")
        self._incoming = state / "releases" / "incoming"
        self._releases = releases
        self._clock = clock
        self._trust = trust
        self._importing = asyncio.Lock()
        self.repository = Repository(state / "repository", self._blobs)
        self.vetting = ReleaseVetting(releases, clock, trust, self._blobs)

    def refuse_folders(self) -> None:
        """Raise ConditionsError (`SYS_SIGNATURES`) where a release has to be signed: a folder never is."""
        if self._trust is not None:
            raise unsigned(self._trust.threshold)

    async def import_folder(self, folder: Path) -> ReleaseRow:
        """Check a release folder and keep it; importing the same again changes nothing.

        Raises InputError (`SYS_RELEASE`) with all problems, ConflictError (`SYS_RELEASE_EXISTS`) when the release, or
        one of its packages in the same version, is there with other content, and ConditionsError when it has expired
        or has to be signed.
        """
        self.refuse_folders()
        found = await asyncio.to_thread(read_folder, folder)
        self.vetting.require(found.release, None)
        return await self._take_in(found, self._blobs.add_all)

    @asynccontextmanager
    async def receive(self) -> AsyncIterator[IncomingBundle]:
        """A bundle that is about to come; what of it is not kept by `import_bundle` is gone at the end."""

        def judge(opened: Opened) -> None:
            self.vetting.require(opened.release, opened.envelope.encode().decode())

        incoming = await asyncio.to_thread(IncomingBundle, self._incoming, judge)
        try:
            yield incoming
        finally:
            await asyncio.to_thread(incoming.close)

    async def import_bundle(self, incoming: IncomingBundle) -> ReleaseRow:
        """Keep a bundle that has come as a whole; a second time only its signatures are added.

        Raises InputError (`SYS_BUNDLE`, `SYS_DIGEST`, `SYS_RELEASE`), and else as `import_folder`.
        """
        found, envelope = await asyncio.to_thread(incoming.complete)
        return await self._take_in(found, self._blobs.adopt_all, envelope)

    async def remove(self, release_id: str, require: Callable[[str], Awaitable[None]] | None = None) -> None:
        """Forget a release; files that no other one has are removed.

        Whether it is needed is for the caller to know: `require` is asked when its turn has come, which may be long after an
        import that is under way, and raises what it will to refuse.
        """
        async with self._importing:
            if require is not None:
                await require(release_id)
            row = await self._releases.get(release_id)
            if row is None:
                return
            await self._releases.remove(release_id)
            await self._rebuild()
            left = {file.sha256 for other in await self._releases.list() for file in parsed(other).spec.files}
            for file in parsed(row).spec.files:
                if file.sha256 not in left:
                    await asyncio.to_thread(self._blobs.drop, file.sha256)

    async def refresh(self) -> None:
        """Bring the repository in step with storage; call once at start, after whatever stopped the manager last."""
        async with self._importing:
            await asyncio.to_thread(shutil.rmtree, self._incoming, ignore_errors=True)
            await self._rebuild(again=True)

    async def get(self, release_id: str) -> Release:
        """The release of that id, `name/version`. Raises NotFoundError (`SYS_RELEASE_NOT_FOUND`)."""
        row = await self._releases.get(release_id)
        if row is None:
            raise NotFoundError(Code.SYS_RELEASE_NOT_FOUND, f"There is no release {release_id!r}.")
        return parsed(row)

    def path(self, sha256: str) -> Path:
        """Where the file of that hash lies."""
        return self._blobs.path(sha256)

    def _refuse_conflicts(self, found: Found, rows: Sequence[ReleaseRow]) -> None:
        if any(row.id == found.release.id and row.digest != found.digest for row in rows):
            message = f"{found.release.id} was imported before with other content."
            raise ConflictError(Code.SYS_RELEASE_EXISTS, message, remedy="Give the release a new version.")
        theirs = {}
        for row in rows:
            for file in parsed(row).spec.files:
                deb = _kept_deb(file, self._blobs)
                if deb is not None:
                    theirs[deb.name, deb.version, deb.arch] = (file.sha256, row.id)
        for file in found.release.spec.files:
            if not file.path.endswith(".deb"):
                continue
            deb = read_deb(found.paths[file.path])
            sha256, owner = theirs.get((deb.name, deb.version, deb.arch), (file.sha256, ""))
            if sha256 != file.sha256:
                message = f"{deb.name} {deb.version} is part of {owner} with other content."
                raise ConflictError(Code.SYS_RELEASE_EXISTS, message, remedy="Build the package with a new version.")

    async def _take_in(
        self, found: Found, keep: Callable[[Mapping[str, Path]], None], envelope: Envelope | None = None
    ) -> ReleaseRow:
        async with self._importing:
            rows = await self._releases.list()
            await asyncio.to_thread(self._refuse_conflicts, found, rows)
            # Each content once: two paths may have the same.
            await asyncio.to_thread(keep, {file.sha256: found.paths[file.path] for file in found.release.spec.files})
            row = ReleaseRow(
                id=found.release.id,
                digest=found.digest,
                document=found.release.model_dump(mode="json", by_alias=True),
                imported_at=self._clock.now(),
            )
            known = next((other for other in rows if other.id == row.id), None)
            await self._releases.add(row if envelope is None else self._signed(row, envelope, known))
            await self._rebuild()
        return await self._releases.get(row.id) or row

    def _signed(self, row: ReleaseRow, envelope: Envelope, known: ReleaseRow | None) -> ReleaseRow:
        """The row with its envelope, the signatures that are known already included, and who of them counts."""
        signed_by = dict(known.signed_by) if known is not None else {}
        if known is not None and known.envelope is not None:
            envelope = envelope.with_signatures_of(read_envelope(known.envelope.encode()))
        if self._trust is not None:
            signed_by = dict(self._trust.recorded(self._trust.require(envelope)))
        return replace(row, envelope=envelope.encode().decode(), signed_by=signed_by)

    async def _rebuild(self, *, again: bool = False) -> None:
        releases = [parsed(row) for row in await self._releases.list()]
        await asyncio.to_thread(self.repository.rebuild, releases, self._clock.now(), again=again)


def _kept_deb(file: File, blobs: Blobs) -> Deb | None:
    """A package that was taken in; None for other files, and when it is damaged or gone: taking it in again mends that."""
    try:
        return read_deb(blobs.path(file.sha256)) if file.path.endswith(".deb") else None
    except (NotADebError, OSError):
        return None
