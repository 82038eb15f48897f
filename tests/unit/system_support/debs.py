"""Debian packages made by hand, good and broken, without dpkg."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import yaml

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress, "": bytes}


def control_tar(text: str, name: str = "./control") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(text.encode())
        tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def ar(*members: tuple[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def deb(name: str = "agent", version: str = "2.0.0", arch: str = "all", more: str = "", suffix: str = ".gz") -> bytes:
    text = f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\n{more}Description: test\n two lines\n"
    control = COMPRESSIONS[suffix](control_tar(text))
    return ar(("debian-binary", b"2.0\n"), (f"control.tar{suffix}", control), ("data.tar", more.encode()))


def folder(where: Path, files: dict[str, bytes], /, **spec: object) -> Path:
    """A release folder."""
    where.mkdir(parents=True)
    for name, data in files.items():
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    usual = {"version": "2.0.0", "packages": [{"name": "agent", "version": "2.0.0"}]}
    document = {"apiVersion": "escalator/v1", "kind": "Release", "metadata": {"name": "r"}, "spec": {**usual, **spec}}
    (where / "release.yaml").write_text(yaml.safe_dump(document))
    return where
