"""The container of a release bundle: an uncompressed tar archive in one form only (POSIX.1-2017, ustar).

The reader does not interpret headers: it knows which member has to come next and compares the 512 bytes with those that
it would write itself. Links, paths, owners and everything else that a tar archive can say have no way to be said.
"""

from __future__ import annotations

import re
import tarfile

from escalator.model.codes import Code
from escalator.model.errors import InputError

BLOCK = 512
END = bytes(2 * BLOCK)
"""Two blocks of zeros end an archive; nothing comes after them."""
ENVELOPE = "release.dsse.json"
MAX_MEMBER_BYTES = 8**11 - 1
"""What a ustar header can say: 8 GiB less one byte."""
_PACKED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
_SIZE = slice(124, 136)


def header(name: str, size: int) -> bytes:
    """The one header of a member. Raises ValueError when the size cannot be said."""
    if not 0 <= size <= MAX_MEMBER_BYTES:
        raise ValueError(f"{name} has {size} bytes; a bundle's files have less than 8 GiB")
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii")


def member(sha256: str) -> str:
    """Name of the member that holds the file of that hash."""
    return f"files/{sha256}"


def padding(size: int) -> int:
    """Zeros after a member's content."""
    return -size % BLOCK


def envelope_size(block: bytes, limit: int) -> int:
    """Size of the envelope by the bundle's first header. Raises InputError (`SYS_BUNDLE`) when it is none of ours."""
    text = block[_SIZE]
    if re.fullmatch(rb"[0-7]{11}\0", text) and block == header(ENVELOPE, size := int(text[:11], 8)):
        if not 0 < size <= limit:
            raise broken(f"its envelope has {size} bytes; at most {limit} are allowed")
        return size
    packed = next((name for magic, name in _PACKED.items() if block.startswith(magic)), None)
    if packed is not None:
        raise broken(f"it is compressed ({packed}); a bundle is not")
    raise broken(f"it begins with {_said(block)} instead of {ENVELOPE}")


def stranger(block: bytes, expected: str | None, seen: frozenset[str], to_come: frozenset[str]) -> InputError:
    """The error for a header that is not the one expected; `expected` None = the end of the archive is."""
    wanted = "its end" if expected is None else expected
    if block == bytes(BLOCK):
        return broken(f"it ends where {wanted} has to come")
    name = _name(block)
    if name in seen:
        return broken(f"{name} stands there twice")
    if name == expected or name in to_come:
        kind = _kind(block)
        return broken(f"{name} is {kind}" if kind else f"{name} is out of order, or its header is not in the form of a bundle")
    return broken(f"{_said(block)} comes where {wanted} has to; the document does not list it")


def broken(why: str) -> InputError:
    """The error for a file that is no bundle."""
    return InputError(Code.SYS_BUNDLE, f"This is no release bundle: {why}.")


def _said(block: bytes) -> str:
    name, kind = _name(block), _kind(block)
    if name is None:
        return "something that is no header of a tar archive"
    outside = name.startswith("/") or ".." in name.split("/")
    return f"{name[:100]!r}{f', {kind},' if kind else ''}{' which leads out of the bundle' if outside else ''}"


def _name(block: bytes) -> str | None:
    info = _info(block)
    return None if info is None else info.name


def _kind(block: bytes) -> str | None:
    """What a member is that is no plain file."""
    info = _info(block)
    if info is None or info.isreg():
        return None
    return "a symbolic link" if info.issym() else "a hard link" if info.islnk() else "no plain file"


def _info(block: bytes) -> tarfile.TarInfo | None:
    """What the header says, for messages only."""
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except (tarfile.HeaderError, ValueError):
        return None
