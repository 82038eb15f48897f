"""The store: files by content, rows through storage, the repository always in step."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import pysequoia
import pytest

from escalator.model.codes import Code
from escalator.model.errors import ConflictError, InputError, NotFoundError, PermanentError
from escalator.storage.memory import memory_store
from escalator.storage.port import Releases
from escalator.system_support.releases.blobs import Blobs
from escalator.system_support.releases.key import SigningKey
from escalator.system_support.releases.store import ReleaseStore
from unit.system_support.debs import deb, folder


@dataclass
class FixedClock:
    time: float = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def rows() -> Releases:
    return memory_store().releases


@pytest.fixture
def store(tmp_path: Path, rows: Releases) -> ReleaseStore:
    return ReleaseStore(tmp_path / "state", rows, FixedClock())


def text(store: ReleaseStore, path: str) -> str:
    found = store.repository.open(path)
    assert found is not None, path
    return found[0].read_text()


async def test_a_release_is_imported_once_and_read_back(store: ReleaseStore, tmp_path: Path) -> None:
    where = folder(tmp_path / "r", {"agent.deb": deb()})
    row = await store.import_folder(where)
    again = await store.import_folder(where)
    assert (row.id, row.digest) == (again.id, again.digest) == ("r/2.0.0", row.digest)
    release = await store.get("r/2.0.0")
    assert store.path(release.spec.files[0].sha256).read_bytes() == (where / "agent.deb").read_bytes()


async def test_an_unknown_release_is_not_found(store: ReleaseStore) -> None:
    with pytest.raises(NotFoundError) as caught:
        await store.get("r/9.9.9")
    assert caught.value.code is Code.SYS_RELEASE_NOT_FOUND


async def test_other_content_under_the_same_id_is_a_conflict(store: ReleaseStore, tmp_path: Path) -> None:
    await store.import_folder(folder(tmp_path / "1", {"agent.deb": deb()}))
    with pytest.raises(ConflictError) as caught:
        await store.import_folder(folder(tmp_path / "2", {"agent.deb": deb()}, notes="changed"))
    assert caught.value.code is Code.SYS_RELEASE_EXISTS


async def test_the_same_package_version_with_other_content_is_a_conflict(store: ReleaseStore, tmp_path: Path) -> None:
    await store.import_folder(folder(tmp_path / "1", {"agent.deb": deb()}))
    with pytest.raises(ConflictError) as caught:
        await store.import_folder(folder(tmp_path / "2", {"agent.deb": deb(more="Section: x\n")}, version="2.0.1"))
    assert "agent 2.0.0 is part of r/2.0.0" in caught.value.message


async def test_a_refused_release_leaves_nothing_behind(store: ReleaseStore, rows: Releases, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        await store.import_folder(folder(tmp_path / "r", {"good.deb": deb(), "bad.deb": b""}))
    assert await rows.list() == []
    assert not [path for path in (tmp_path / "state/releases").rglob("*") if path.is_file()]


async def test_every_version_stays_in_the_repository(store: ReleaseStore, tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        pins = [{"name": "agent", "version": version}]
        await store.import_folder(folder(tmp_path / version, {"a.deb": deb(version=version)}, version=version, packages=pins))
    index = text(store, "dists/escalator/main/binary-amd64/Packages")
    assert sorted(re.findall("^Version: (.*)$", index, re.MULTILINE)) == ["1.0.0", "2.0.0"]
    assert index.count("Package: agent") == 2
    for path, size, sha256 in re.findall(r"Filename: (\S+)\nSize: (\d+)\nSHA256: (\S+)", index):
        data = store.repository.open(path)[0].read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (int(size), sha256)


async def test_the_index_is_signed_by_the_key_that_is_given_out(store: ReleaseStore, tmp_path: Path) -> None:
    await store.import_folder(folder(tmp_path / "r", {"a.deb": deb()}))
    cert = pysequoia.Cert.from_bytes(text(store, "escalator.asc").encode())
    signed = pysequoia.verify(text(store, "dists/escalator/InRelease").encode(), store=lambda _: [cert])
    release = text(store, "dists/escalator/Release")
    assert signed.bytes.decode().strip() == release.strip()
    signature = pysequoia.Sig.from_bytes(text(store, "dists/escalator/Release.gpg").encode())
    assert pysequoia.verify(bytes=release.encode(), store=lambda _: [cert], signature=signature).valid_sigs
    for sha256, size, path in re.findall(r"^ (\S+) (\d+) (\S+)$", release, re.MULTILINE):
        data = store.repository.open(f"dists/escalator/{path}")[0].read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (sha256, int(size))
        folder_of, _, _ = path.rpartition("/")
        assert store.repository.open(f"dists/escalator/{folder_of}/by-hash/SHA256/{sha256}")[0].read_bytes() == data
        if path.endswith(".gz"):
            assert gzip.decompress(data).startswith(b"Package: agent")


async def test_fields_of_a_package_cannot_replace_those_of_the_index(store: ReleaseStore, tmp_path: Path) -> None:
    more = "Filename: ../../etc/passwd\nSHA256: 00\nSize: 1\nSHA512: 00\nMD5sum: 00\n"
    await store.import_folder(folder(tmp_path / "r", {"a.deb": deb(more=more)}))
    index = text(store, "dists/escalator/main/binary-amd64/Packages")
    assert not re.search("passwd|SHA512|MD5sum", index)
    assert index.count("SHA256:") == 1


@pytest.mark.parametrize(
    "path",
    ["", "/", "dists", "dists/", "pool", "../signing-key.pgp", "signing-key.pgp", "pool.tsv", "/etc/passwd", "dists/../pool.tsv",
     "dists/escalator/../escalator/InRelease", "current/pool.tsv", "generations/1/pool.tsv", "dists/escalator/InRelease\0"],
)  # fmt: skip
async def test_nothing_but_known_files_can_be_read(store: ReleaseStore, tmp_path: Path, path: str) -> None:
    await store.import_folder(folder(tmp_path / "r", {"a.deb": deb()}))
    assert store.repository.open(path) is None
    assert store.repository.open("/dists/escalator/InRelease") is not None


async def test_a_reader_in_the_middle_of_an_update_still_finds_the_old_index_by_hash(store: ReleaseStore, tmp_path: Path) -> None:
    await store.import_folder(folder(tmp_path / "1", {"a.deb": deb()}))
    old = re.findall(r"^ (\S+) \d+ main/binary-amd64/Packages$", text(store, "dists/escalator/Release"), re.MULTILINE)[0]
    await store.import_folder(
        folder(tmp_path / "2", {"b.deb": deb("bb")}, version="2.0.1", packages=[{"name": "bb", "version": "2.0.0"}])
    )
    assert store.repository.open(f"dists/escalator/main/binary-amd64/by-hash/SHA256/{old}") is not None
    assert "Package: bb" in text(store, "dists/escalator/main/binary-amd64/Packages")


async def test_a_new_manager_serves_the_same_with_the_same_key(store: ReleaseStore, rows: Releases, tmp_path: Path) -> None:
    await store.import_folder(folder(tmp_path / "r", {"a.deb": deb()}))
    again = ReleaseStore(tmp_path / "state", rows, FixedClock())
    assert again.repository.public_key == store.repository.public_key
    assert text(again, "dists/escalator/InRelease") == text(store, "dists/escalator/InRelease")


async def test_a_crash_between_row_and_repository_is_mended_by_refresh(
    store: ReleaseStore, rows: Releases, tmp_path: Path
) -> None:
    await store.import_folder(folder(tmp_path / "r", {"a.deb": deb()}))
    part = tmp_path / "state/repository/generations/part"
    part.mkdir()
    (part / "pool.tsv").write_text("half")
    for generation in (tmp_path / "state/repository/generations").glob("[0-9]*"):
        (generation / "dists/escalator/InRelease").unlink()
    again = ReleaseStore(tmp_path / "state", rows, FixedClock())
    assert again.repository.open("dists/escalator/InRelease") is None
    await again.refresh()
    assert again.repository.open("dists/escalator/InRelease") is not None


async def test_few_generations_are_kept(store: ReleaseStore, tmp_path: Path) -> None:
    for _ in range(6):
        await store.refresh()
    assert sorted(path.name for path in (tmp_path / "state/repository/generations").iterdir()) == ["4", "5", "6"]


async def test_a_release_without_packages_leaves_the_repository_alone(store: ReleaseStore, tmp_path: Path) -> None:
    generations = tmp_path / "state/repository/generations"
    await store.refresh()
    before = text(store, "dists/escalator/InRelease")
    await store.import_folder(folder(tmp_path / "plain", {"notes.txt": b"x"}, packages=[], type="command"))
    assert ([path.name for path in generations.iterdir()], text(store, "dists/escalator/InRelease")) == (["1"], before)
    await store.import_folder(folder(tmp_path / "r", {"a.deb": deb()}, version="2.0.1"))
    assert sorted(path.name for path in generations.iterdir()) == ["1", "2"]
    assert text(store, "dists/escalator/InRelease") != before


def test_the_private_key_is_the_managers_alone(tmp_path: Path) -> None:
    file = tmp_path / "repository/signing-key.pgp"
    first = SigningKey(file).public
    assert file.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in first
    assert SigningKey(file).public == first
    file.chmod(0o640)
    with pytest.raises(PermanentError) as caught:
        SigningKey(file)
    assert caught.value.code is Code.SYS_CONFIG


def test_a_damaged_key_is_told_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"x")
    file.chmod(0o600)
    with pytest.raises(PermanentError):
        SigningKey(file)
    assert file.read_bytes() == b"x"


def test_a_file_that_changes_while_it_is_imported_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.deb"
    source.write_bytes(b"other than it was")
    blobs = Blobs(tmp_path / "blobs")
    with pytest.raises(InputError):
        blobs.add(source, "0" * 64)
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


def test_a_link_that_appears_after_the_check_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "a.deb").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        Blobs(tmp_path / "blobs").add(tmp_path / "a.deb", hashlib.sha256(b"secret").hexdigest())
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
