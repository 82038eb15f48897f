"""Large bundles: hashing runs beside reading and writing, and what one piece is hashed as is what was read for it."""

from __future__ import annotations

import errno
import hashlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from escalator.system_support.releases import durable
from escalator.system_support.releases.bundle import AHEAD, APART_BYTES, Content
from escalator.system_support.releases.bundle_file import PIECE_BYTES, pieces, read_bundle
from escalator.system_support.releases.durable import MAX_CLOSING, ClosedBeside, Closing, DurableFile
from unit.system_support.bundles import ALICE, BOB, bundle


def test_files_of_many_pieces_are_built_signed_and_verified(tmp_path: Path) -> None:
    chance = random.Random(1)
    files = {f"f{n}": chance.randbytes(int(PIECE_BYTES * size)) for n, size in enumerate((0.1, 3.5, 1, 2.01, 0.5, 4))}
    opened = read_bundle(bundle(tmp_path / "b", ALICE, BOB, files=files))
    assert {file.path: file.sha256 for file in opened.release.spec.files} == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }


class Held(ThreadPoolExecutor):
    """A thread that begins when it is let go."""

    def __init__(self) -> None:
        super().__init__(1)
        self.go = threading.Event()
        self.submit(self.go.wait)


def test_no_piece_is_read_into_while_it_waits_to_be_hashed(tmp_path: Path) -> None:
    file = tmp_path / "f"
    data = random.Random(2).randbytes(PIECE_BYTES * (AHEAD + 1))
    file.write_bytes(data)
    hashing = Held()
    content = Content(len(data), None, hashing)
    with file.open("rb", buffering=0) as opened:
        for number, piece in enumerate(pieces(opened), start=1):
            if number == AHEAD + 1:  # as far as it goes without waiting: all but this one are not hashed yet
                hashing.go.set()
            content.take(piece)
    assert content.sha256 == hashlib.sha256(data).hexdigest()
    hashing.shutdown()


def test_small_and_large_pieces_are_hashed_in_their_order() -> None:
    chance = random.Random(3)
    parts = [chance.randbytes(size) for size in (5, APART_BYTES, 7, APART_BYTES * 2, APART_BYTES, 1)]
    with ThreadPoolExecutor(1) as hashing:
        content = Content(sum(map(len, parts)), None, hashing)
        for part in parts:
            content.take(memoryview(part))
        assert content.sha256 == hashlib.sha256(b"".join(parts)).hexdigest()


def test_a_file_that_does_not_reach_the_disk_is_told_when_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(durable.os, "fsync", full)
    closing = Closing()
    file = ClosedBeside(DurableFile(tmp_path / "f"), closing)
    file.write(b"x")
    file.close()
    with pytest.raises(OSError, match="the disk is full"):
        closing.wait()
    closing.end()


def test_no_more_files_wait_for_the_disk_than_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, added = threading.Event(), threading.Event()
    monkeypatch.setattr(durable.os, "fsync", lambda _: go.wait(30))
    closing = Closing()

    def add_all() -> None:
        for number in range(MAX_CLOSING + 1):
            closing.add(DurableFile(tmp_path / str(number)))
        added.set()

    adding = threading.Thread(target=add_all)
    adding.start()
    assert not added.wait(0.3)
    go.set()
    assert added.wait(30)
    adding.join()
    closing.wait()
    closing.end()
