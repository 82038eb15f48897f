"""Files that go to the disk past the page cache: every size, every way of cutting them, every end."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from escalator.system_support.releases.direct import BLOCK_BYTES, BLOCKS, DirectFile

WHOLE = [n * BLOCK_BYTES for n in (1, BLOCKS, 2 * BLOCKS + 1)]
SIZES = [0, 1, 511, 4096, *(whole + more for whole in WHOLE for more in (-1, 0, 1, 77))]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_stands_there(tmp_path: Path, size: int) -> None:
    chance = random.Random(size)
    content = chance.randbytes(size)
    with DirectFile(tmp_path / "file", 0o640) as out:
        at = 0
        while at < size:
            piece = chance.choice([1, 100, 65536, 2**20, 3 * 2**20])
            out.write(memoryview(content)[at : at + piece])
            at += piece
    assert (tmp_path / "file").read_bytes() == content
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_pieces_may_be_written_over_once_they_were_taken(tmp_path: Path) -> None:
    buffer = bytearray(BLOCK_BYTES // 2)
    with DirectFile(tmp_path / "file") as out:
        for number in range(16):
            buffer[:] = bytes([number]) * len(buffer)
            out.write(buffer)
    assert (tmp_path / "file").read_bytes() == b"".join(bytes([n]) * len(buffer) for n in range(16))


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), DirectFile(tmp_path / "file") as out:  # noqa: PT012
        out.write(bytes(BLOCK_BYTES + 5))
        raise ZeroDivisionError
    assert not (tmp_path / "file").exists()


def test_a_file_that_is_there_already_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError):
        DirectFile(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("size", [10, 5 * BLOCK_BYTES])
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    full = os.open("/dev/full", os.O_RDWR)
    monkeypatch.setattr("escalator.system_support.releases.direct._open", lambda *_: full)
    out = DirectFile(tmp_path / "file")
    with pytest.raises(OSError, match="No space left"):  # noqa: PT012
        out.write(bytes(size))
        out.close()
    out.discard()


def test_memory_only_file_systems_work_as_well(tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("there is no /dev/shm")
    path = shared / f"escalator-{os.getpid()}-{tmp_path.name}"
    try:
        with DirectFile(path) as out:
            out.write(b"x" * (BLOCK_BYTES + 3))
        assert path.read_bytes() == b"x" * (BLOCK_BYTES + 3)
    finally:
        path.unlink(missing_ok=True)
