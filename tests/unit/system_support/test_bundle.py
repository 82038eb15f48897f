"""The form of a bundle: what is written is read back, and whatever else is said in it is refused with its reason."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.system_support.releases import bundle as reading
from escalator.system_support.releases import bundle_file, folder
from escalator.system_support.releases.bundle import BundleReader
from escalator.system_support.releases.bundle_file import build_bundle, read_bundle
from escalator.system_support.releases.bundle_signing import sign_bundle
from escalator.system_support.releases.container import header
from unit.system_support.bundles import ALICE, BOB, BOTH, bundle, members, packed
from unit.system_support.debs import deb
from unit.system_support.debs import folder as release_folder

Parts = list[tuple[tarfile.TarInfo, bytes]]


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def write(self, data: memoryview) -> None:
        self.data += data

    def close(self) -> None:
        self.closed = True


def read(data: bytes, piece: int = 700) -> dict[str, bytes]:
    """Read it in pieces; the files by path."""
    sinks: dict[str, Kept] = {}
    with BundleReader(open_sink=lambda file: sinks.setdefault(file.sha256, Kept())) as reader:
        for start in range(0, len(data), piece):
            reader.feed(data[start : start + piece])
        opened = reader.finish()
    assert all(sink.closed for sink in sinks.values())
    return {file.path: sinks[file.sha256].data for file in opened.release.spec.files}


def refused(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read(data)
    return caught.value


@pytest.mark.parametrize("piece", [1, 511, 512, 4096, 10**6])
def test_what_is_built_is_read_back_in_pieces_of_any_size(tmp_path: Path, piece: int) -> None:
    files = {"a": b"x" * 1024, "sub/b": b"y" * 3, "empty": b"", "twin": b"y" * 3}
    assert read(bundle(tmp_path / "b", files=files).read_bytes(), piece) == files


def test_a_bundle_has_each_content_once_and_other_tools_can_read_it(tmp_path: Path) -> None:
    names = [info.name for info, _ in members(bundle(tmp_path / "b", files={"a": b"1", "b": b"1", "c": b"2"}))]
    assert names[0] == "release.dsse.json"
    assert len(names) == 3


def test_a_bundle_is_the_same_whenever_it_is_built(tmp_path: Path) -> None:
    files = {"a": b"1" * 1000, "b": b"1" * 1000, "c": b""}
    first, second = (bundle(tmp_path / name / "b", files=files).read_bytes() for name in ("1", "2"))
    assert first == second


def test_the_document_has_the_digest_that_the_folder_has(tmp_path: Path) -> None:
    source = release_folder(tmp_path / "r", {"agent.deb": deb()})
    build_bundle(source, tmp_path / "b")
    assert folder.digest(read_bundle(tmp_path / "b").release) == folder.read_folder(source).digest


@pytest.mark.parametrize("files", [{"a.deb": b"none"}, {"link": None}])
def test_a_folder_that_is_no_release_makes_no_bundle(tmp_path: Path, files: dict[str, bytes | None]) -> None:
    source = release_folder(tmp_path / "r", {name: data for name, data in files.items() if data is not None})
    if None in files.values():
        (source / "link").symlink_to("/etc/passwd")
    with pytest.raises(InputError) as caught:
        build_bundle(source, tmp_path / "b")
    assert caught.value.code is Code.SYS_RELEASE
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_listed_file_that_is_another_makes_no_bundle(tmp_path: Path) -> None:
    listed = [{"path": "a", "length": 1, "sha256": "0" * 64}]
    source = release_folder(tmp_path / "r", {"a": b"x"}, type="command", files=listed)
    with pytest.raises(InputError, match="SHA-256"):
        build_bundle(source, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_signing_adds_signatures_and_changes_nothing_else(tmp_path: Path) -> None:
    file = bundle(tmp_path / "b")
    before = members(file)
    for signer in (ALICE, BOB, ALICE):
        sign_bundle(file, signer)
    opened = read_bundle(file)
    assert [signed.keyid for signed in opened.envelope.signatures] == [BOB.public_key.keyid, ALICE.public_key.keyid]
    assert BOTH.require(opened.envelope) == ("alice", "bob")
    assert [data for _, data in members(file)[1:]] == [data for _, data in before[1:]]


def test_a_bundle_that_is_not_whole_is_not_signed(tmp_path: Path) -> None:
    file = bundle(tmp_path / "b")
    broken = file.read_bytes()[:-1]
    file.write_bytes(broken)
    with pytest.raises(InputError, match="cut short"):
        sign_bundle(file, ALICE)
    assert file.read_bytes() == broken
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "b.d"]


def test_a_bundle_that_is_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    data = bundle(tmp_path / "b", ALICE, files={"a": b"x" * 600}).read_bytes()
    for size in range(0, len(data), 97):
        assert refused(data[:size]).code is Code.SYS_BUNDLE


def _link(parts: Parts) -> None:
    parts[1][0].type, parts[1][0].linkname = tarfile.SYMTYPE, "/etc/passwd"
    parts[1] = (parts[1][0], b"")
    parts[1][0].size = 0


def _hard_link(parts: Parts) -> None:
    _link(parts)
    parts[1][0].type = tarfile.LNKTYPE


def _out(parts: Parts) -> None:
    parts[1][0].name = "../../etc/cron.d/x"


def _absolute(parts: Parts) -> None:
    parts[1][0].name = "/etc/cron.d/x"


def _extra(parts: Parts) -> None:
    info = tarfile.TarInfo("files/more")
    info.size = 1
    parts.append((info, b"x"))


def _twice(parts: Parts) -> None:
    parts.insert(2, parts[1])


def _missing(parts: Parts) -> None:
    parts.pop()


def _order(parts: Parts) -> None:
    parts[1], parts[2] = parts[2], parts[1]


def _owner(parts: Parts) -> None:
    parts[1][0].mode = 0o4755


def _first(parts: Parts) -> None:
    parts[0], parts[1] = parts[1], parts[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_link, "a symbolic link"),
        (_hard_link, "a hard link"),
        (_out, "leads out of the bundle"),
        (_absolute, "leads out of the bundle"),
        (_extra, "comes where its end has to"),
        (_twice, "stands there twice"),
        (_missing, "it ends where files/"),
        (_order, "out of order"),
        (_owner, "not in the form of a bundle"),
        (_first, "it begins with"),
    ],
)
def test_what_a_bundle_cannot_hold_is_refused_with_its_reason(
    tmp_path: Path, change: Callable[[Parts], None], reason: str
) -> None:
    parts = copy.deepcopy(members(bundle(tmp_path / "b", ALICE, files={"a": b"1", "b": b"2" * 700})))
    change(parts)
    error = refused(packed(parts))
    assert error.code is Code.SYS_BUNDLE
    assert reason in error.message


def test_a_tampered_file_is_named(tmp_path: Path) -> None:
    parts = members(bundle(tmp_path / "b", files={"bin/agent": b"x" * 100, "other": b""}))
    error = refused(packed([parts[0], (parts[1][0], b"y" + parts[1][1][1:]), parts[2]]))
    assert (error.code, [problem.path for problem in error.problems]) == (Code.SYS_DIGEST, ["bin/agent"])


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: b"\xfd7zXZ\0" + data, lambda data: b"PK\x03\x04" + data])
def test_a_compressed_bundle_is_refused_before_it_is_unpacked(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    assert "compressed" in refused(pack(bundle(tmp_path / "b").read_bytes())).message


def test_something_after_the_end_is_refused(tmp_path: Path) -> None:
    assert "after its end" in refused(bundle(tmp_path / "b").read_bytes() + b"\0").message


def test_padding_hides_nothing(tmp_path: Path) -> None:
    data = bytearray(bundle(tmp_path / "b", files={"a": b"x"}).read_bytes())
    data[-1025] = 1
    assert "have to be zero and are not" in refused(bytes(data)).message


@pytest.mark.parametrize("data", [b"x" * 512, b"\0" * 512, b"\xff" * 512, b"MZ" + bytes(510)])
def test_what_is_something_else_is_refused(data: bytes) -> None:
    assert "it begins with" in refused(data).message


def test_an_envelope_is_bounded_before_it_is_read() -> None:
    assert "at most" in refused(header("release.dsse.json", reading.MAX_ENVELOPE_BYTES + 1)).message


def test_a_bundle_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = bundle(tmp_path / "b", files={"a": b"x" * 5000})
    monkeypatch.setattr(reading, "MAX_BUNDLE_BYTES", 4096)
    monkeypatch.setattr(bundle_file, "MAX_BUNDLE_BYTES", 4096)
    with pytest.raises(InputError) as caught:
        read_bundle(file)
    assert caught.value.code is Code.SYS_BUNDLE
    with pytest.raises(InputError, match="all files together"):
        build_bundle(tmp_path / "b.d", tmp_path / "c")


def with_envelope(parts: Parts, text: bytes) -> bytes:
    info = copy.copy(parts[0][0])
    info.size = len(text)
    return packed([(info, text), *parts[1:]])


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "application/json"},
        {"payload": "!"},
        {"payload": "bm90IGpzb24="},
        {"payload": 1},
        {"signatures": {}},
        {"signatures": [{"keyid": "a", "sig": "AA=="}]},
        {"signatures": [{"keyid": "", "sig": "A" * 86 + "=="}]},
        {"signatures": [{"keyid": "a\nb", "sig": "A" * 86 + "=="}]},
        {"signatures": [{"keyid": "a", "sig": "A" * 86 + "==", "more": 1}]},
        {"signatures": [{"keyid": "a", "sig": "A" * 86 + "=="}] * 17},
        {"more": 1},
    ],
)
def test_an_envelope_that_is_another_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    parts = members(bundle(tmp_path / "b"))
    text = json.dumps(json.loads(parts[0][1]) | change).encode()
    assert refused(with_envelope(parts, text)).code is Code.SYS_BUNDLE


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff", b'{"payload": 1, "payload": 2}', b"[" * 5000])
def test_an_envelope_that_is_no_json_is_refused(tmp_path: Path, text: bytes) -> None:
    assert refused(with_envelope(members(bundle(tmp_path / "b")), text)).code is Code.SYS_BUNDLE


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([{"path": "a", "length": 1, "sha256": "0" * 64}, {"path": "a", "length": 1, "sha256": "1" * 64}], "listed twice"),
        ([{"path": "a", "length": 1, "sha256": "0" * 64}, {"path": "b", "length": 2, "sha256": "0" * 64}], "another length"),
        ([{"path": "a", "length": 2**33, "sha256": "0" * 64}], "less than 8 GiB"),
        ([{"path": "../a", "length": 1, "sha256": "0" * 64}], "plain path"),
        ([{"path": f"f{n}", "length": 0, "sha256": f"{n:064x}"} for n in range(4097)], "more than 4096"),
    ],
)
def test_a_document_that_cannot_be_a_bundles_is_refused(tmp_path: Path, files: list[dict[str, object]], reason: str) -> None:
    parts = members(bundle(tmp_path / "b"))
    envelope = json.loads(parts[0][1])
    document = json.loads(base64.b64decode(envelope["payload"]))
    document["spec"] |= {"files": files}
    envelope["payload"] = base64.b64encode(json.dumps(document).encode()).decode()
    error = refused(with_envelope(parts, json.dumps(envelope).encode()))
    assert error.code is Code.SYS_RELEASE
    assert reason in str(error)
