"""Signing a bundle: all of it is verified in one pass, then the signature is put into the room behind its envelope.

A bundle that has no such room is written anew with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.release import File
from escalator.system_support.releases.blobs import sync_folder
from escalator.system_support.releases.bundle import BundleReader, Opened
from escalator.system_support.releases.bundle_file import Member, front_of, pieces, read_bundle, replacing, unreadable
from escalator.system_support.releases.container import END, ENVELOPE, header, member, padding
from escalator.system_support.releases.envelope import MAX_ENVELOPE_BYTES, ROOM_BYTES

FRONT = len(header(ENVELOPE, 0))
"""Where the envelope begins."""
_OFFSET = struct.Struct(">Q")
_SUM = hashlib.sha256().digest_size


def sign_bundle(file: Path, signer: CryptoSigner) -> Opened:
    """Add a signature to a bundle, in one pass that verifies all of it; a bundle that is not whole is not signed.

    Two who sign at once wait for each other. Raises InputError as `BundleReader` does, and `CFG_FILE` when the file cannot be
    read or written.
    """
    try:
        with _held(file) as handle:
            _mend(file, handle)
            front = front_of(file)
            if len(front.envelope.signed(signer).encode()) > front.size:
                return _written_anew(file, signer)
            return _signed_within(file, handle, signer)
    except OSError as error:
        raise unreadable(file, error) from error


@contextmanager
def _held(file: Path) -> Iterator[int]:
    handle = os.open(file, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not os.path.samestat(os.fstat(handle), file.stat()):
            remedy = "Sign it again."
            raise InputError(Code.CFG_FILE, f"{file} was replaced while it waited to be signed.", remedy=remedy)
        yield handle
    finally:
        os.close(handle)


def _signed_within(file: Path, handle: int, signer: CryptoSigner) -> Opened:
    with os.fdopen(os.dup(handle), "rb", buffering=0) as opened, BundleReader() as reader:
        opened.seek(0)
        for piece in pieces(opened):
            reader.feed(piece)
        found = reader.finish()
    envelope = found.envelope.signed(signer)
    old, new = os.pread(handle, found.size, FRONT), envelope.encode(found.size)
    same = len(os.path.commonprefix((old, new)))  # noqa: RUF071 - of bytes, no paths
    _put(file, handle, FRONT + same, new[same:])
    return Opened(envelope, found.release, found.size)


def _written_anew(file: Path, signer: CryptoSigner) -> Opened:
    with replacing(file) as out:
        signed: list[Opened] = []

        def begin(opened: Opened) -> None:
            envelope = opened.envelope.signed(signer)
            data = envelope.encode(min(len(envelope.encode()) + ROOM_BYTES, MAX_ENVELOPE_BYTES))
            out.write(header(ENVELOPE, len(data)) + data + bytes(padding(len(data))))
            signed.append(Opened(envelope, opened.release, len(data)))

        def member_of(content: File) -> Member:
            out.write(header(member(content.sha256), content.length))
            return Member(out, content.length)

        read_bundle(file, begin, member_of)
        out.write(END)
    return signed[0]


# -- A loss of power while bytes are put over others may leave some of both. What is put is written down beside the bundle
# before, and put once more by who signs next.


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name[:100]}.signing")


def _put(file: Path, handle: int, offset: int, data: bytes) -> None:
    note = _OFFSET.pack(offset) + hashlib.sha256(os.pread(handle, offset, 0)).digest() + data
    beside = _beside(file)
    out = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(out, note + hashlib.sha256(note).digest())
        os.fsync(out)
    finally:
        os.close(out)
    sync_folder(file.parent)
    os.pwrite(handle, data, offset)
    os.fdatasync(handle)
    beside.unlink()


def _mend(file: Path, handle: int) -> None:
    beside = _beside(file)
    try:
        with os.fdopen(os.open(beside, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
            text = opened.read(_OFFSET.size + 2 * _SUM + MAX_ENVELOPE_BYTES + 1)
    except FileNotFoundError:
        return
    note, total = text[:-_SUM], text[-_SUM:]
    if hashlib.sha256(note).digest() == total:  # else nothing was put yet
        (offset,) = _OFFSET.unpack_from(note)
        before, data = note[_OFFSET.size : _OFFSET.size + _SUM], note[_OFFSET.size + _SUM :]
        # Another bundle may have come in its place since.
        if offset <= FRONT + MAX_ENVELOPE_BYTES and hashlib.sha256(os.pread(handle, offset, 0)).digest() == before:
            os.pwrite(handle, data, offset)
            os.fdatasync(handle)
    beside.unlink()
