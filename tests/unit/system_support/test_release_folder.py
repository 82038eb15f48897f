"""What makes a folder a release, and what is said about one that is none."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.system_support.releases.folder import read_folder
from unit.system_support.debs import ar, control_tar, deb, folder


def problems(where: Path) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        read_folder(where)
    assert caught.value.code is Code.SYS_RELEASE
    return {problem.path: problem.message for problem in caught.value.problems}


def test_length_and_hash_of_each_file_are_filled_in(tmp_path: Path) -> None:
    data = deb()
    found = read_folder(folder(tmp_path / "r", {"agent.deb": data, "README": b"hello"}))
    (file,) = found.release.spec.files
    assert (file.path, file.length, file.sha256) == ("agent.deb", len(data), hashlib.sha256(data).hexdigest())
    assert found.digest.startswith("sha256:")


def test_the_digest_changes_with_any_byte_of_any_file_and_with_the_document(tmp_path: Path) -> None:
    first = read_folder(folder(tmp_path / "1", {"a.deb": deb()})).digest
    assert read_folder(folder(tmp_path / "2", {"a.deb": deb()})).digest == first
    assert read_folder(folder(tmp_path / "3", {"a.deb": deb(more="Section: admin\n")})).digest != first
    assert read_folder(folder(tmp_path / "4", {"a.deb": deb()}, notes="other")).digest != first


def test_json_is_as_good_as_yaml(tmp_path: Path) -> None:
    where = folder(tmp_path / "r", {"a.deb": deb()})
    text = (
        '{"apiVersion": "escalator/v1", "kind": "Release", "metadata": {"name": "r"},'
        '"spec": {"version": "2.0.0", "packages": [{"name": "agent", "version": "2.0.0"}]}}'
    )
    (where / "release.yaml").unlink()
    (where / "release.json").write_text(text)
    assert read_folder(where).release.id == "r/2.0.0"


def test_listed_files_are_compared(tmp_path: Path) -> None:
    data = deb()
    sha256 = hashlib.sha256(data).hexdigest()
    good = {"path": "a.deb", "length": len(data), "sha256": sha256}
    assert read_folder(folder(tmp_path / "good", {"a.deb": data}, files=[good])).release.spec.files[0].sha256 == sha256
    longer = folder(tmp_path / "length", {"a.deb": data}, files=[{**good, "length": 1}])
    assert "the release says 1" in problems(longer)["a.deb"]
    other = folder(tmp_path / "hash", {"a.deb": data}, files=[{**good, "sha256": "0" * 64}])
    assert "SHA-256" in problems(other)["a.deb"]
    missing = folder(tmp_path / "missing", {"a.deb": data}, files=[good, {**good, "path": "b.deb"}])
    assert "is not there" in problems(missing)["b.deb"]
    unlisted = folder(tmp_path / "unlisted", {"a.deb": data, "c.deb": deb("c")}, files=[good])
    assert "not listed" in problems(unlisted)["c.deb"]
    twice = folder(tmp_path / "twice", {"a.deb": data}, files=[good, dict(good)])
    assert problems(twice)["a.deb"] == "this file is listed twice"


@pytest.mark.parametrize("path", ["../a.deb", "/etc/passwd", "x/../../a.deb", "-a.deb", "a b.deb", ""])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    listed = {"path": path, "length": 1, "sha256": "0" * 64}
    assert any(key.startswith("spec.files") for key in problems(folder(tmp_path / "r", {"a.deb": deb()}, files=[listed])))


def test_symbolic_links_and_devices_are_refused(tmp_path: Path) -> None:
    where = folder(tmp_path / "r", {"a.deb": deb()})
    (where / "secret.deb").symlink_to("/etc/shadow")
    (where / "folder").symlink_to(tmp_path)
    os.mkfifo(where / "pipe")
    found = problems(where)
    assert "symbolic link" in found["secret.deb"]
    assert "symbolic link" in found["folder"]
    assert "no plain file" in found["pipe"]


def test_a_file_that_is_too_large_is_refused_without_being_read(tmp_path: Path) -> None:
    where = folder(tmp_path / "r", {"a.deb": deb()})
    with (where / "huge.deb").open("wb") as file:
        file.truncate(9 * 2**30)
    assert "larger than 8 GiB" in problems(where)["huge.deb"]


def test_a_document_that_is_too_large_is_refused(tmp_path: Path) -> None:
    where = folder(tmp_path / "r", {"a.deb": deb()})
    (where / "release.yaml").write_bytes(b"#" * (5 * 2**20))
    assert "larger than 4 MiB" in problems(where)["release.yaml"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no Debian package"),
        (b"#!/bin/sh\n", "no Debian package"),
        (deb()[:100], "damaged"),
        (deb()[:150], "cut short"),
        (ar(("debian-binary", b"2.0\n"), ("data.tar", b"")), "missing or too large"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar.gz", b"not gzip")), "cannot be read"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar", control_tar("", "./other"))), "cannot be read"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar.lz4", b"")), "not known"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar", control_tar("Package: a\n"))), "no valid Version"),
        (deb(version="2.0.0/../x"), "no valid Version"),
        (ar(("debian-binary", b"9.0\n")), "format 2"),
    ],
)
def test_a_package_that_is_none_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in problems(folder(tmp_path / "r", {"a.deb": deb(), "broken.deb": data}))["broken.deb"]


def test_control_data_that_unpacks_to_gigabytes_is_refused_soon(tmp_path: Path) -> None:
    bomb = ar(("debian-binary", b"2.0\n"), ("control.tar.gz", gzip.compress(bytes(64 * 2**20))))
    assert "too large" in problems(folder(tmp_path / "r", {"a.deb": deb(), "bomb.deb": bomb}))["bomb.deb"]


def test_pins_that_no_package_provides_are_told(tmp_path: Path) -> None:
    pins = [{"name": "agent", "version": "2.0.0"}, {"name": "agent", "version": "2.0.1"}, {"name": "libs", "version": "2.0.0"}]
    found = problems(folder(tmp_path / "r", {"a.deb": deb()}, packages=pins))
    assert set(found) == {"spec.packages[1]", "spec.packages[2]"}


def test_the_same_package_twice_is_told(tmp_path: Path) -> None:
    found = problems(folder(tmp_path / "r", {"a.deb": deb(), "b.deb": deb(more="Section: x\n")}))
    assert found == {"b.deb": "a.deb is the same package, version and architecture"}


def test_a_folder_without_document_or_with_two_is_refused(tmp_path: Path) -> None:
    where = folder(tmp_path / "r", {"a.deb": deb()})
    (where / "release.json").write_text("{}")
    assert "exactly one" in problems(where)["release.yaml"]
    for name in ("release.json", "release.yaml"):
        (where / name).unlink()
    assert "exactly one" in problems(where)["release.yaml"]
    with pytest.raises(InputError):
        read_folder(tmp_path / "nowhere")


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    where = folder(tmp_path / "r", {"broken.deb": b"x"}, version="two", colour="red")
    (where / "link").symlink_to("x")
    assert set(problems(where)) >= {"link", "spec.version", "spec.colour"}
    where = folder(tmp_path / "s", {"broken.deb": b"x"})
    (where / "link").symlink_to("x")
    assert set(problems(where)) == {"link", "broken.deb", "spec.packages[0]"}


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2", ""])
def test_every_compression_of_control_data_is_read(tmp_path: Path, suffix: str) -> None:
    assert read_folder(folder(tmp_path / "r", {"a.deb": deb(suffix=suffix)})).release.spec.files


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_packages_compressed_with_zstd_are_read_and_bounded(tmp_path: Path) -> None:
    def zstd(data: bytes) -> bytes:
        return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout

    text = "Package: agent\nVersion: 2.0.0\nArchitecture: all\n"
    good = ar(("debian-binary", b"2.0\n"), ("control.tar.zst", zstd(control_tar(text))))
    assert read_folder(folder(tmp_path / "r", {"a.deb": good})).release.spec.files
    bomb = ar(("debian-binary", b"2.0\n"), ("control.tar.zst", zstd(bytes(64 * 2**20))))
    assert "too large" in problems(folder(tmp_path / "s", {"a.deb": good, "bomb.deb": bomb}))["bomb.deb"]
    assert (
        "cannot be read"
        in problems(
            folder(tmp_path / "t", {"a.deb": good, "b.deb": ar(("debian-binary", b"2.0\n"), ("control.tar.zst", b"no zstd"))})
        )["b.deb"]
    )
