"""Signed releases in the store: what is taken in, what is refused and leaves nothing, and what is checked later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, ConflictError, EscalatorError, InputError, PermanentError
from escalator.storage.memory import memory_store
from escalator.storage.port import ReleaseRow, Releases
from escalator.system_support.releases.bundle_file import build_bundle
from escalator.system_support.releases.bundle_signing import sign_bundle
from escalator.system_support.releases.store import ReleaseStore
from escalator.system_support.releases.trust import Trust
from escalator.system_support.releases.vetting import ReleaseVetting
from unit.system_support.bundles import ALICE, BOB, BOTH, DEB, MALLORY, ONE, bundle
from unit.system_support.debs import deb, folder

EXPIRES = "2026-01-01T00:00:00Z"
BEFORE, AFTER = 1_767_225_599.0, 1_767_225_600.0


@dataclass
class Clock:
    time: float = BEFORE

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Site:
    """A store that can be opened again with another trust, at another time."""

    state: Path
    rows: Releases
    clock: Clock
    store: ReleaseStore

    def trusting(self, trust: Trust | None) -> Site:
        return replace(self, store=ReleaseStore(self.state, self.rows, self.clock, trust))

    async def take(self, file: Path, piece: int = 1000) -> ReleaseRow:
        async with self.store.receive() as incoming:
            data = file.read_bytes()  # noqa: ASYNC240 - a few kilobytes
            for start in range(0, len(data), piece):
                incoming.feed(data[start : start + piece])
            return await self.store.import_bundle(incoming)

    def files(self) -> list[Path]:
        return [path for path in (self.state / "releases").rglob("*") if path.is_file()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    rows, clock = memory_store().releases, Clock()
    return Site(tmp_path / "state", rows, clock, ReleaseStore(tmp_path / "state", rows, clock, BOTH))


async def refused(site: Site, file: Path) -> Code:
    before = (await site.rows.list(), sorted(site.files()))
    with pytest.raises((InputError, ConditionsError)) as caught:
        await site.take(file)
    assert (await site.rows.list(), sorted(site.files())) == before
    assert list((site.state / "releases/incoming").iterdir()) == []
    return caught.value.code


async def test_a_signed_release_is_taken_in_and_served(site: Site, tmp_path: Path) -> None:
    row = await site.take(bundle(tmp_path / "b", ALICE, BOB, MALLORY))
    assert sorted(row.signed_by) == ["alice", "bob"]
    release = await site.store.get(row.id)
    assert site.store.path(release.spec.files[0].sha256).read_bytes() == DEB
    index = site.store.repository.open("dists/escalator/main/binary-amd64/Packages")
    assert index is not None
    assert release.spec.files[0].sha256 in index[0].read_text()
    assert site.store.vetting.hindrance(row) is None


async def test_every_version_of_signed_releases_stays_in_the_repository(site: Site, tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        pins = [{"name": "agent", "version": version}]
        source = folder(tmp_path / version, {"a.deb": deb(version=version)}, version=version, packages=pins)
        await site.take(_signed(source, tmp_path / f"{version}.escrel"))
    index = site.store.repository.open("dists/escalator/main/binary-amd64/Packages")
    assert index is not None
    assert index[0].read_text().count("Package: agent") == 2


def _signed(source: Path, out: Path) -> Path:
    build_bundle(source, out)
    sign_bundle(out, ALICE)
    sign_bundle(out, BOB)
    return out


async def test_what_too_few_have_signed_is_refused_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    for name, signers in {"unsigned": (), "one": (ALICE,), "stranger": (ALICE, MALLORY)}.items():
        assert await refused(site, bundle(tmp_path / name, *signers)) is Code.SYS_SIGNATURES


async def test_a_refusal_comes_before_any_file(site: Site, tmp_path: Path) -> None:
    data = bundle(tmp_path / "b", ALICE, files={"a": b"x" * 10_000}).read_bytes()
    async with site.store.receive() as incoming:
        with pytest.raises(ConditionsError):
            incoming.feed(data[: data.index(b"files/")])
        assert site.files() == []


async def test_a_folder_is_refused_where_releases_have_to_be_signed(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ConditionsError) as caught:
        await site.store.import_folder(folder(tmp_path / "r", {"a.deb": deb()}))
    assert caught.value.code is Code.SYS_SIGNATURES
    assert await site.trusting(None).store.import_folder(tmp_path / "r")


async def test_without_a_trust_store_nothing_is_verified_and_that_is_known(site: Site, tmp_path: Path) -> None:
    row = await site.trusting(None).take(bundle(tmp_path / "b", MALLORY))
    assert (row.envelope is None, row.signed_by) == (False, {})
    assert site.trusting(None).store.vetting.hindrance(row) is None
    assert _code(site.store.vetting.hindrance(row)) is Code.SYS_SIGNATURES


def _code(error: EscalatorError | None) -> Code | None:
    return error.code if error is not None else None


async def test_damage_is_refused_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    data = bundle(tmp_path / "b", ALICE, BOB, files={"a": b"x" * 5000, "b": b"y" * 600}).read_bytes()
    file = tmp_path / "damaged"
    for position, code in {-1700: Code.SYS_DIGEST, -5000: Code.SYS_DIGEST, -1: Code.SYS_BUNDLE}.items():
        changed = bytearray(data)
        changed[position] ^= 1
        file.write_bytes(changed)
        assert await refused(site, file) is code
    file.write_bytes(data[:-600])
    assert await refused(site, file) is Code.SYS_BUNDLE


async def test_packages_are_checked_as_in_a_folder(site: Site, tmp_path: Path) -> None:
    await site.take(bundle(tmp_path / "good", ALICE, BOB))
    other = folder(tmp_path / "r", {"agent.deb": deb(more="Section: x\n")}, version="2.0.1")
    with pytest.raises(EscalatorError) as caught:
        await site.take(_signed(other, tmp_path / "o"))
    assert caught.value.code is Code.SYS_RELEASE_EXISTS


async def test_importing_again_adds_signatures_and_loses_none(site: Site, tmp_path: Path) -> None:
    open_site = site.trusting(None)
    await open_site.store.import_folder(folder(tmp_path / "r", {"agent.deb": DEB}))
    for name, signer in (("1", ALICE), ("2", BOB)):
        await open_site.take(bundle(tmp_path / name, signer))
    row = await site.take(bundle(tmp_path / "3", ALICE, BOB))
    assert sorted(row.signed_by) == ["alice", "bob"]
    assert len(await site.rows.list()) == 1
    again = await open_site.take(bundle(tmp_path / "4", ALICE))
    assert (again.signed_by, again.envelope) == (row.signed_by, row.envelope)


# Time and change of trust


async def test_what_has_expired_is_not_taken_in(site: Site, tmp_path: Path) -> None:
    file = bundle(tmp_path / "b", ALICE, BOB, expires=EXPIRES)
    site.clock.time = AFTER
    assert await refused(site, file) is Code.SYS_EXPIRED
    with pytest.raises(ConditionsError, match="expired at 2026"):
        await site.trusting(None).store.import_folder(tmp_path / "b.d")
    site.clock.time = BEFORE
    assert await site.take(file)


async def test_expiry_and_new_keys_hinder_new_campaigns_and_nothing_that_runs(site: Site, tmp_path: Path) -> None:
    row = await site.take(bundle(tmp_path / "b", ALICE, BOB, expires=EXPIRES))
    rotated = site.trusting(Trust({"mallory": MALLORY.public_key}, 1))
    assert _code(rotated.store.vetting.hindrance(row)) is Code.SYS_SIGNATURES
    await rotated.store.vetting.intact(row.id)
    site.clock.time = AFTER
    assert _code(site.store.vetting.hindrance(row)) is Code.SYS_EXPIRED
    await site.store.vetting.intact(row.id)


# Before staging


async def test_a_file_that_changes_on_the_servers_disk_is_noticed(site: Site, tmp_path: Path) -> None:
    row = await site.take(bundle(tmp_path / "b", ALICE, BOB))
    await site.store.vetting.intact(row.id)
    path = site.store.path((await site.store.get(row.id)).spec.files[0].sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(PermanentError) as caught:
        await site.store.vetting.intact(row.id)
    assert caught.value.code is Code.SYS_DIGEST
    path.unlink()
    with pytest.raises(PermanentError, match="cannot be read"):
        await site.store.vetting.intact(row.id)
    await site.take(tmp_path / "b")
    await site.store.vetting.intact(row.id)


async def test_a_stored_document_that_changes_is_noticed(site: Site, tmp_path: Path) -> None:
    row = await site.take(bundle(tmp_path / "b", ALICE, BOB))
    forged = {**row.document, "spec": {**row.document["spec"], "notes": "changed"}}
    unsigned = ReleaseStore(tmp_path / "other", memory_store().releases, site.clock)
    rows = [
        replace(row, document=forged),
        replace(row, envelope=(row.envelope or "").replace('"sig":"', '"sig":"AAAA', 1)),
        replace(row, signed_by={**row.signed_by, "mallory": MALLORY.public_key.keyval["public"]}),
        replace(row, signed_by={"alice": "zz"}),
    ]
    for changed in rows:
        store = memory_store().releases
        await store.add(changed)
        with pytest.raises(PermanentError) as caught:
            await ReleaseVetting(store, site.clock).intact(row.id)
        assert caught.value.code is Code.SYS_SIGNATURES
    assert _code(unsigned.vetting.hindrance(rows[0])) is Code.SYS_SIGNATURES


# Removal


async def test_a_release_that_is_removed_takes_along_the_files_that_no_other_has(site: Site, tmp_path: Path) -> None:
    shared = {"shared": b"s" * 10}
    first = await site.take(bundle(tmp_path / "1", ALICE, BOB, files={**shared, "own": b"o"}))
    second = await site.take(bundle(tmp_path / "2", ALICE, BOB, files=shared, version="2.0.1"))
    await site.store.remove(first.id)
    assert [row.id for row in await site.rows.list()] == [second.id]
    assert [path.read_bytes() for path in site.files()] == [shared["shared"]]
    await site.store.remove("none/1.0.0")


async def test_whether_a_release_is_needed_is_asked_when_nothing_else_changes_the_store(site: Site, tmp_path: Path) -> None:
    first = await site.take(bundle(tmp_path / "1", ALICE, BOB))
    second = await site.take(bundle(tmp_path / "2", ALICE, BOB, version="2.0.1"))
    asked: list[tuple[str, int]] = []

    async def require(release_id: str) -> None:
        asked.append((release_id, len(await site.rows.list())))
        if release_id == second.id:
            raise ConflictError(Code.SYS_RELEASE_NEEDED, "needed by now")

    ended = await asyncio.gather(
        site.store.remove(first.id, require), site.store.remove(second.id, require), return_exceptions=True
    )
    assert asked == [(first.id, 2), (second.id, 1)]
    assert isinstance(ended[1], ConflictError)
    assert [row.id for row in await site.rows.list()] == [second.id]


async def test_a_removed_package_is_served_no_more(site: Site, tmp_path: Path) -> None:
    row = await site.take(bundle(tmp_path / "b", ALICE, BOB))
    sha256 = (await site.store.get(row.id)).spec.files[0].sha256
    path = f"pool/{sha256[:2]}/{sha256}/agent_2.0.0_all.deb"
    assert site.store.repository.open(path) is not None
    await site.store.remove(row.id)
    again = ReleaseStore(site.state, site.rows, site.clock)
    assert again.repository.open(path) is None
    assert site.store.repository.open(path) is None


async def test_a_crash_in_the_middle_leaves_nothing_after_the_next_start(site: Site) -> None:
    stray = site.state / "releases/incoming/stray"
    stray.mkdir(parents=True)
    (stray / "file").write_bytes(b"half")
    await site.store.refresh()
    assert site.files() == []


async def test_one_trusted_key_may_be_enough(site: Site, tmp_path: Path) -> None:
    assert sorted((await site.trusting(ONE).take(bundle(tmp_path / "b", BOB))).signed_by) == ["bob"]
