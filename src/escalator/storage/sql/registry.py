"""Releases and VNF managers in a database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from escalator.model.notice import Vnfm, VnfmSpec
from escalator.storage import rules
from escalator.storage.engine import Database
from escalator.storage.port import ReleaseRow
from escalator.storage.sql.upsert import insert_or_keep
from escalator.storage.tables import releases, vnfms

MAX_READ = 2000
"""Registrations that are remembered as they were read, about 3 kB each. They are looked at for every notice; the same text is
the same registration, which nobody can change in memory."""

_ADD_RELEASE = insert_or_keep(releases)
_SIGN_RELEASE = releases.update().where(releases.c.id == sa.bindparam("key"))
_REMOVE_RELEASE = releases.delete().where(releases.c.id == sa.bindparam("key"))
_RELEASES = sa.select(releases).order_by(releases.c.id)
_RELEASE = sa.select(releases).where(releases.c.id == sa.bindparam("id"))

_ADD_VNFM = insert_or_keep(vnfms)
_REPLACE_VNFM = vnfms.update().where(vnfms.c.name == sa.bindparam("key"))
_CHANGE_VNFM = _REPLACE_VNFM.where(vnfms.c.spec_json == sa.bindparam("seen"))
_REMOVE_VNFM = vnfms.delete().where(vnfms.c.name == sa.bindparam("key"))
_FORGET_VNFM = _REMOVE_VNFM.where(vnfms.c.spec_json == sa.bindparam("seen"))
_VNFMS = sa.select(vnfms).order_by(vnfms.c.name)
_VNFM = sa.select(vnfms).where(vnfms.c.name == sa.bindparam("name"))


class SqlReleases:
    """Imported releases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: ReleaseRow) -> None:
        """Store; raises ConflictError when the id has another digest."""
        values = {
            "id": row.id,
            "digest": row.digest,
            "document_json": rules.to_text(row.document),
            "imported_at": row.imported_at,
            "envelope": row.envelope,
            "signed_by_json": rules.to_text(row.signed_by),
        }

        def work(connection: sa.Connection) -> None:
            added = _ADD_RELEASE.inserts(connection, values)
            if connection.execute(_RELEASE, {"id": row.id}).one().digest != row.digest:
                raise rules.release_exists(row.id)
            if not added and row.envelope is not None:
                signed = {name: values[name] for name in ("envelope", "signed_by_json")}
                connection.execute(_SIGN_RELEASE.values(**signed), {"key": row.id})

        await self._database.write(work)

    async def remove(self, release_id: str) -> None:
        """Forget; nothing happens when it is not there."""
        await self._database.write(lambda connection: connection.execute(_REMOVE_RELEASE, {"key": release_id}).close())

    async def get(self, release_id: str) -> ReleaseRow | None:
        """Return the release, or None."""
        row = await self._database.read(lambda connection: connection.execute(_RELEASE, {"id": release_id}).one_or_none())
        return None if row is None else _release(row)

    async def list(self) -> Sequence[ReleaseRow]:
        """Return all releases in order of id."""
        return await self._database.read(lambda connection: [_release(row) for row in connection.execute(_RELEASES)], long=True)


class SqlVnfms:
    """Registered VNF managers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, vnfm: Vnfm) -> None:
        """Store; raises ConflictError when the name is taken."""
        values = {"name": vnfm.name, "spec_json": vnfm.spec.model_dump_json()}

        def work(connection: sa.Connection) -> None:
            if not _ADD_VNFM.inserts(connection, values):
                raise rules.vnfm_exists(vnfm.name)

        await self._database.write(work)

    async def replace(self, vnfm: Vnfm, known: Vnfm | None = None) -> None:
        """Store in place of the one of that name; raises NotFoundError when there is none, ConflictError when not `known`."""
        values = {"key": vnfm.name, "spec_json": vnfm.spec.model_dump_json()}

        def work(connection: sa.Connection) -> None:
            if known is None:
                _one(connection, _REPLACE_VNFM, values)
            else:
                _while_known(connection, _CHANGE_VNFM, values, known)

        await self._database.write(work)

    async def remove(self, name: str, known: Vnfm | None = None) -> None:
        """Forget, with its subscription; raises NotFoundError when there is none, ConflictError when not `known`."""

        def work(connection: sa.Connection) -> None:
            if known is None:
                _one(connection, _REMOVE_VNFM, {"key": name})
            else:
                _while_known(connection, _FORGET_VNFM, {"key": name}, known)

        await self._database.write(work)

    async def get(self, name: str) -> Vnfm | None:
        """Return the VNF manager, or None."""
        row = await self._database.read(lambda connection: connection.execute(_VNFM, {"name": name}).one_or_none())
        return None if row is None else _vnfm(row)

    async def list(self) -> Sequence[Vnfm]:
        """Return all in order of name."""
        return await self._database.read(lambda connection: [_vnfm(row) for row in connection.execute(_VNFMS)], long=True)


def _one(connection: sa.Connection, statement: sa.Update | sa.Delete, values: dict[str, str]) -> None:
    if connection.execute(statement, values).rowcount == 0:
        raise rules.no_vnfm(values["key"])


def _while_known(connection: sa.Connection, statement: sa.Update | sa.Delete, values: dict[str, str], known: Vnfm) -> None:
    row = connection.execute(_VNFM, {"name": values["key"]}).one_or_none()
    if row is None:
        raise rules.no_vnfm(values["key"])
    # The text as it was read: another server may write in between, and an older one wrote it in its own way.
    found = connection.execute(statement, {**values, "seen": row.spec_json}) if _vnfm(row) == known else None
    if found is None or found.rowcount == 0:
        raise rules.vnfm_changed(values["key"])


def _release(row: sa.Row[Any]) -> ReleaseRow:
    return ReleaseRow(
        id=row.id,
        digest=row.digest,
        document=json.loads(row.document_json),
        imported_at=row.imported_at,
        envelope=row.envelope,
        signed_by=json.loads(row.signed_by_json),
    )


def _vnfm(row: sa.Row[Any]) -> Vnfm:
    return _read(row.name, row.spec_json)


@lru_cache(maxsize=MAX_READ)
def _read(name: str, spec: str) -> Vnfm:
    return Vnfm(name=name, spec=VnfmSpec.model_validate_json(spec))
