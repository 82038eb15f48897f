"""Bundles as files: build one from a folder, verify one. No server is needed for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import BinaryIO

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import InputError, Problem
from escalator.model.release import File, Release
from escalator.system_support.releases.blobs import sync_folder
from escalator.system_support.releases.bundle import AHEAD, MAX_BUNDLE_BYTES, BundleReader, Content, Opened, check_front
from escalator.system_support.releases.container import END, ENVELOPE, MAX_MEMBER_BYTES, header, member, padding
from escalator.system_support.releases.durable import DurableFile
from escalator.system_support.releases.envelope import ROOM_BYTES, Envelope
from escalator.system_support.releases.folder import canonical, choose_files, differs, invalid, with_files

PIECE_BYTES = 2**21
"""Read, hashed and written at a time: large against the handing over to another thread, small against caches."""


def build_bundle(folder: Path, file: Path) -> Release:
    """Write the release of a folder to a bundle without signatures, in one pass over its files.

    Raises InputError: `SYS_RELEASE` with every problem of the folder, `CFG_FILE` when the bundle cannot be written.
    """
    release, paths = choose_files(folder)
    sizes = {name: path.lstat().st_size for name, path in paths.items()}
    large = [Problem(name, "a file of a bundle has less than 8 GiB") for name, size in sizes.items() if size > MAX_MEMBER_BYTES]
    if sum(sizes.values()) > MAX_BUNDLE_BYTES // 2:
        large.append(Problem("", f"all files together are larger than {MAX_BUNDLE_BYTES // 2**31} GiB"))
    if large:
        raise invalid(folder.name, large)
    # Hashes have a fixed length: how large the envelope will be is known before they are.
    draft = with_files(release, [File(path=name, length=size, sha256="0" * 64) for name, size in sizes.items()])
    room = len(Envelope(canonical(draft)).encode()) + ROOM_BYTES
    with replacing(file) as out:
        out.write(header(ENVELOPE, room) + bytes(room + padding(room)))
        filled = with_files(release, _write_files(out, release, paths, sizes))
        out.write(END)
        envelope = Envelope(canonical(filled))
        check_front(envelope, filled)
        out.write_at(len(header(ENVELOPE, room)), envelope.encode(room))
    return filled


def require_replaceable(file: Path) -> None:
    """Refuse to put a new bundle where something is that would be missed: signatures, or what is no bundle.

    Raises InputError (`CFG_FILE`).
    """
    if not file.exists():
        return
    try:
        count = len(front_of(file).envelope.signatures)
        what = f"carries {counted(count, 'signature')}" if count else ""
    except InputError:
        what = "is there and is no whole bundle"
    if what:
        remedy = "Give --out another name, or --force to replace it."
        raise InputError(Code.CFG_FILE, f"{file} {what}; it is not replaced.", remedy=remedy)


def front_of(file: Path) -> Opened:
    """The front of a bundle; its files are not read."""
    try:
        with file.open("rb", buffering=0) as opened, BundleReader() as reader:
            for piece in pieces(opened):
                reader.feed(piece)
                if reader.opened is not None:
                    return reader.opened
            return reader.finish()
    except OSError as error:
        raise unreadable(file, error) from error


def read_bundle(
    file: Path,
    on_front: Callable[[Opened], None] | None = None,
    open_sink: Callable[[File], Member | None] | None = None,
) -> Opened:
    """Read a bundle to its end, comparing everything. Raises InputError as `BundleReader` does, and `CFG_FILE`."""
    try:
        with file.open("rb", buffering=0) as opened, BundleReader(on_front, open_sink) as reader:
            for piece in pieces(opened):
                reader.feed(piece)
            return reader.finish()
    except OSError as error:
        raise unreadable(file, error) from error


def pieces(file: BinaryIO) -> Iterator[memoryview]:
    """The content of a file that was opened without a buffer. A piece is valid until `AHEAD` more were asked for."""
    buffers = cycle([bytearray(PIECE_BYTES) for _ in range(AHEAD + 1)])
    buffer = next(buffers)
    while size := file.readinto(buffer):  # type: ignore[attr-defined]  # a raw file has it
        yield memoryview(buffer)[:size]
        buffer = next(buffers)


class Member:
    """The content of one file of a bundle that is written."""

    def __init__(self, out: DurableFile, size: int) -> None:
        self._out = out
        self._size = size
        self.write = out.write

    def close(self) -> None:
        """Fill up the last block."""
        self._out.write(bytes(padding(self._size)))


def _write_files(out: DurableFile, release: Release, paths: Mapping[str, Path], sizes: Mapping[str, int]) -> list[File]:
    listed = {file.path: file for file in release.spec.files}
    offset, found, problems = out.position, [], []
    written: set[str] = set()
    with ThreadPoolExecutor(1, "bundle-hash") as hashing:
        for name, path in paths.items():
            block = len(header("", 0))
            out.go_to(offset + block)
            file = _copy(name, path, sizes[name], out, hashing)
            problem = differs(listed[name], file) if name in listed else None
            problems += [problem] if problem else []
            found.append(file)
            if file.sha256 not in written:
                written.add(file.sha256)
                out.write_at(offset, header(member(file.sha256), file.length))
                out.write(bytes(padding(file.length)))
                offset += block + file.length + padding(file.length)
            else:
                out.go_to(offset)  # the same content is there already
    if problems:
        raise invalid(release.id, problems)
    out.go_to(offset)
    return found


def _copy(name: str, path: Path, size: int, out: DurableFile, hashing: ThreadPoolExecutor) -> File:
    content = Content(size, out, hashing)
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as source:
        for piece in pieces(source):
            if content.take(piece):
                break
        else:
            if content.left == 0:
                return File(path=name, length=size, sha256=content.sha256)
    raise invalid(name, [Problem(name, "this file changed while it was read")])


@contextmanager
def replacing(file: Path) -> Iterator[DurableFile]:
    """A new file that takes the place of `file` when all went well; else nothing changes."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{file.name[:100]}.", dir=file.parent) as folder:
            part = Path(folder) / "part"
            with DurableFile(part, 0o644) as out:
                yield out
            part.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise unreadable(file, error) from error


def unreadable(file: Path, error: OSError) -> InputError:
    """The error for a file that the system does not give or take."""
    return InputError(Code.CFG_FILE, f"{file} cannot be read or written: {error.strerror or error}.")
