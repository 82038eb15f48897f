"""A bundle in which anything was changed is refused, or is the same release with the same files; never a traceback."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import event, given, settings
from hypothesis import strategies as st

from escalator.model.errors import ConditionsError, InputError
from escalator.model.release import File
from escalator.system_support.releases.bundle import BundleReader, Opened
from escalator.system_support.releases.folder import digest
from unit.system_support.bundles import ALICE, BOB, BOTH, bundle

FILES = {"bin/agent": b"agent" * 120, "etc/agent.conf": b"x = 1\n", "empty": b"", "twin": b"x = 1\n"}


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: memoryview) -> None:
        self.data += data

    def close(self) -> None:
        """Nothing to do."""


@cache
def good() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return bundle(Path(folder) / "b", ALICE, BOB, files=FILES).read_bytes()


def accepted(data: bytes, piece: int) -> tuple[str, dict[str, bytes]] | None:
    """Digest and files by path; None when it is refused as it should be."""
    sinks: dict[str, Kept] = {}

    def sink(file: File) -> Kept:
        return sinks.setdefault(file.sha256, Kept())

    def judge(opened: Opened) -> None:
        BOTH.require(opened.envelope)

    try:
        with BundleReader(judge, sink) as reader:
            for start in range(0, len(data), piece):
                reader.feed(data[start : start + piece])
            release = reader.finish().release
    except (InputError, ConditionsError):
        return None
    return digest(release), {file.path: sinks[file.sha256].data for file in release.spec.files}


changes = st.one_of(
    st.tuples(st.just("flip"), st.floats(0, 1), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.floats(0, 1), st.integers(1, 3000)),
    st.tuples(st.just("put"), st.floats(0, 1), st.binary(min_size=1, max_size=1100)),
    st.tuples(st.just("over"), st.floats(0, 1), st.binary(min_size=1, max_size=1100)),
    st.tuples(st.just("end"), st.floats(0, 1), st.just(0)),
)


def changed(data: bytes, change: tuple[str, float, int | bytes]) -> bytes:
    kind, where, what = change
    at = min(int(where * len(data)), len(data) - 1)
    if isinstance(what, bytes):
        return data[:at] + what + data[at + (len(what) if kind == "over" else 0) :]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ what]) + data[at + 1 :]
    return data[:at] if kind == "end" else data[:at] + data[at + what :]


@given(st.lists(changes, min_size=1, max_size=3), st.sampled_from([1, 100, 512, 10_000]))
@settings(deadline=None, max_examples=400)
def test_a_changed_bundle_is_never_taken_for_another(how: list[tuple[str, float, int | bytes]], piece: int) -> None:
    data = good()
    for change in how:
        data = changed(data or b"\0", change)
    found = accepted(data, piece)
    event("refused" if found is None else "the same")
    assert found is None or found == accepted(good(), 10_000)


def test_any_one_byte_that_is_flipped_is_noticed() -> None:
    data, whole = good(), accepted(good(), 10_000)
    assert whole is not None
    assert whole[1] == FILES
    for at in range(len(data)):
        bit = 1 << at % 8
        assert accepted(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :], 4096) is None, at


@given(st.binary(max_size=4000))
@settings(deadline=None, max_examples=200)
def test_anything_else_is_refused(data: bytes) -> None:
    assert accepted(data, 512) is None
    assert accepted(good()[:512] + data, 512) is None
