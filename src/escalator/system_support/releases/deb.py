"""The control data of a Debian package, read with bounds and without unpacking what it installs."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import BinaryIO

MAX_CONTROL_BYTES = 16 * 2**20
"""Control archives hold scripts and checksums: the largest in the wild are a few MiB unpacked."""
AR_MAGIC = b"!<arch>\n"
FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~-]*")


class NotADebError(ValueError):
    """The file is no Debian package; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Deb:
    """What the package says about itself."""

    name: str
    version: str
    arch: str
    fields: Mapping[str, str]


def read_deb(path: Path) -> Deb:
    """Read the control data. Raises NotADebError, whatever the file holds, and OSError when it cannot be read."""
    with path.open("rb") as file:
        member, data = _control_member(file)
    try:
        control = _control_file(_decompress(member, data))
        fields = parse_stanza(control.decode())
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        raise NotADebError(f"its control data cannot be read: {error}") from error
    for name in ("Package", "Version", "Architecture"):
        if not FIELD.fullmatch(fields.get(name, "")):
            raise NotADebError(f"its control data has no valid {name}")
    return Deb(fields["Package"], fields["Version"], fields["Architecture"], fields)


def parse_stanza(text: str) -> dict[str, str]:
    """The fields of one stanza of Debian control data; lines that continue a field stay as they are.

    Raises ValueError for anything else (Debian policy manual, 5.1). Written here because the library for it is under the
    GPL, which does not go with this project's licence.
    """
    fields: dict[str, str] = {}
    name = ""
    for line in text.strip("\n").split("\n"):
        if name and line[:1] in (" ", "\t") and line.strip():
            fields[name] += f"\n{line.rstrip()}"
            continue
        name, colon, value = line.partition(":")
        if not colon or not FIELD_NAME.fullmatch(name) or name in fields:
            raise ValueError(f"line {line[:60]!r} is no field of its own")
        fields[name] = value.strip()
    return fields


def stanza(fields: Mapping[str, str]) -> str:
    """The fields as one stanza, as `parse_stanza` reads it."""
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _control_member(file: BinaryIO) -> tuple[str, bytes]:
    """Name and bytes of `control.tar*`, which dpkg expects as the second member."""
    if file.read(len(AR_MAGIC)) != AR_MAGIC:
        raise NotADebError("it is no Debian package (ar archive)")
    name, size = _header(file)
    if name != "debian-binary" or not file.read(size + size % 2).startswith(b"2."):
        raise NotADebError("it is no Debian package of format 2")
    name, size = _header(file)
    if not name.startswith("control.tar") or size > MAX_CONTROL_BYTES:
        raise NotADebError("its control data is missing or too large")
    data = file.read(size)
    if len(data) != size:
        raise NotADebError("it is cut short")
    return name, data


def _header(file: BinaryIO) -> tuple[str, int]:
    header = file.read(60)
    size = header[48:58].strip()
    if len(header) != 60 or header[58:] != b"`\n" or not size.isdigit() or int(size) > MAX_CONTROL_BYTES:
        raise NotADebError("its archive header is damaged")
    return header[:16].decode("ascii", "replace").strip().rstrip("/"), int(size)


def _decompress(member: str, data: bytes) -> bytes:
    """The unpacked archive, at most MAX_CONTROL_BYTES of it: a few bytes can unpack to any size."""
    match member.removeprefix("control.tar"):
        case "":
            unpacked = data
        case ".gz":
            unpacked = zlib.decompressobj(wbits=31).decompress(data, MAX_CONTROL_BYTES + 1)
        case ".xz" | ".lzma":
            unpacked = lzma.LZMADecompressor().decompress(data, MAX_CONTROL_BYTES + 1)
        case ".bz2":
            unpacked = bz2.BZ2Decompressor().decompress(data, MAX_CONTROL_BYTES + 1)
        case ".zst":
            unpacked = _unzstd(data)
        case other:
            raise NotADebError(f"its compression {other!r} is not known")
    if len(unpacked) > MAX_CONTROL_BYTES:
        raise NotADebError("its control data is too large")
    return unpacked


def _unzstd(data: bytes) -> bytes:
    # Python 3.11 has no zstd of its own; Ubuntu compresses with it.
    program = shutil.which("unzstd")
    if program is None:
        raise NotADebError("it is compressed with zstd, and the program unzstd is not installed here")
    with subprocess.Popen(  # noqa: S603 - a fixed program without arguments from outside
        [program, "--stdout", "--quiet", "--memory=64MB"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            return _pump(process, data)
        finally:
            process.kill()


def _pump(process: subprocess.Popen[bytes], data: bytes) -> bytes:
    """Feed small input, read bounded output; what is more than the bound stays unread and the process is ended."""
    if process.stdin is None or process.stdout is None:  # both are pipes; this is for the type checker
        raise NotADebError("unzstd could not be run")

    def feed(stdin: io.BufferedWriter) -> None:
        try:
            stdin.write(data)
            stdin.close()
        except BrokenPipeError:
            return  # it was ended because its output is too large

    thread = Thread(target=feed, args=(process.stdin,), daemon=True)
    thread.start()  # what does not fit a pipe's buffer would otherwise wait for our reading, and we for its end
    unpacked = process.stdout.read(MAX_CONTROL_BYTES + 1)
    if len(unpacked) > MAX_CONTROL_BYTES:
        process.kill()
    process.wait()
    thread.join()
    return unpacked


def _control_file(archive: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        for member in tar:
            if member.name in ("control", "./control") and member.isfile():
                file = tar.extractfile(member)
                return file.read() if file else b""
    raise ValueError("there is no control file in it")
