"""Releases and VNF managers in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.notice import Vnfm
from escalator.model.subscription import Subscription
from escalator.storage import rules
from escalator.storage.port import ReleaseRow


class MemoryReleases:
    """Imported releases."""

    def __init__(self) -> None:
        self._rows: dict[str, ReleaseRow] = {}

    async def add(self, row: ReleaseRow) -> None:
        """Store; raises ConflictError when the id has another digest."""
        found = self._rows.get(row.id)
        if found is None:
            self._rows[row.id] = replace(row, document=rules.plain(row.document))
        elif found.digest != row.digest:
            raise rules.release_exists(row.id)
        elif row.envelope is not None:
            self._rows[row.id] = replace(found, envelope=row.envelope, signed_by=row.signed_by)

    async def remove(self, release_id: str) -> None:
        """Forget; nothing happens when it is not there."""
        self._rows.pop(release_id, None)

    async def get(self, release_id: str) -> ReleaseRow | None:
        """Return the release, or None."""
        return self._rows.get(release_id)

    async def list(self) -> Sequence[ReleaseRow]:
        """Return all releases in order of id."""
        return [self._rows[key] for key in sorted(self._rows)]


class MemoryVnfms:
    """Registered VNF managers."""

    def __init__(self) -> None:
        self._rows: dict[str, Vnfm] = {}
        self.subscriptions: dict[str, Subscription] = {}
        """They end with the registration that they hang on."""

    async def add(self, vnfm: Vnfm) -> None:
        """Store; raises ConflictError when the name is taken."""
        if vnfm.name in self._rows:
            raise rules.vnfm_exists(vnfm.name)
        self._rows[vnfm.name] = vnfm

    async def replace(self, vnfm: Vnfm, known: Vnfm | None = None) -> None:
        """Store in place of the one of that name; raises NotFoundError when there is none, ConflictError when not `known`."""
        if vnfm.name not in self._rows:
            raise rules.no_vnfm(vnfm.name)
        if known is not None and self._rows[vnfm.name] != known:
            raise rules.vnfm_changed(vnfm.name)
        self._rows[vnfm.name] = vnfm

    async def remove(self, name: str, known: Vnfm | None = None) -> None:
        """Forget, with its subscription; raises NotFoundError when there is none, ConflictError when not `known`."""
        if name not in self._rows:
            raise rules.no_vnfm(name)
        if known is not None and self._rows[name] != known:
            raise rules.vnfm_changed(name)
        del self._rows[name]
        self.subscriptions.pop(name, None)

    async def get(self, name: str) -> Vnfm | None:
        """Return the VNF manager, or None."""
        return self._rows.get(name)

    async def list(self) -> Sequence[Vnfm]:
        """Return all in order of name."""
        return [self._rows[key] for key in sorted(self._rows)]
