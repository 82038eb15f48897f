"""A signed apt repository of all imported packages, every version kept; switched as a whole, read by known name only."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from types import MappingProxyType

from escalator.model.release import Release
from escalator.system_support.releases.blobs import Blobs, sync_all, sync_folder
from escalator.system_support.releases.deb import read_deb, stanza
from escalator.system_support.releases.key import SigningKey

SUITE, COMPONENT = "escalator", "main"
ARCHITECTURES = ("amd64", "arm64")
KEPT_GENERATIONS = 3
"""A node in the middle of an update still finds the index that its InRelease names."""
OURS = frozenset({"Filename", "Size", "SHA256", "MD5sum", "SHA1", "SHA512"})
"""Fields that the index sets; a package's own are dropped."""
PACKAGE = "application/vnd.debian.binary-package"


@dataclass(frozen=True, slots=True)
class Entry:
    """One package of the index."""

    arch: str
    stanza: str
    path: str
    sha256: str


class Repository:
    """The repository on disk and what of it may be read.

    `rebuild` writes a new generation beside the current one and switches over by one rename; `open` answers for files
    of the newest generations and for packages that they name, and for nothing else.
    """

    def __init__(self, folder: Path, blobs: Blobs) -> None:
        self._folder = folder
        self._blobs = blobs
        self._key = SigningKey(folder / "signing-key.pgp")
        self._known: Mapping[str, tuple[Path, str]] = MappingProxyType({})
        self._built: Sequence[Entry] | None = None
        """What the newest generation was made from; null when this process has made none."""
        self._load()

    @property
    def public_key(self) -> str:
        """ASCII-armoured public key, for the nodes' `Signed-By`."""
        return self._key.public

    def open(self, path: str) -> tuple[Path, str] | None:
        """File and content type for the path of a GET (`dists/...`, `pool/...`, `escalator.asc`); None = no such file."""
        found = self._known.get(path.removeprefix("/"))
        # An older generation may name a package that was removed since.
        return found if found is not None and found[0].exists() else None

    def rebuild(self, releases: Iterable[Release], now: float, *, again: bool = False) -> None:
        """Make the repository hold exactly the packages of these releases. Blocks; call it in a thread.

        When it was built in this process and no package came or went nothing changes, unless it is to be built `again`.
        """
        entries = _entries(releases, self._blobs)
        if entries == self._built and not again:
            return
        packages = {arch: _packages(entries, arch) for arch in _architectures(entries)}
        number = max(self._generations(), default=0) + 1
        part = self._folder / "generations" / "part"
        shutil.rmtree(part, ignore_errors=True)
        files = {"pool.tsv": "".join(f"{entry.path}\t{entry.sha256}\n" for entry in entries).encode()}
        files |= {"escalator.asc": self.public_key.encode(), **self._indexes(packages, now)}
        _put_all({part / name: data for name, data in files.items()})
        part.rename(part.with_name(str(number)))
        sync_folder(part.parent)
        for old in sorted(self._generations())[:-KEPT_GENERATIONS]:
            shutil.rmtree(part.with_name(str(old)), ignore_errors=True)
        self._load()
        self._built = entries

    def _indexes(self, packages: Mapping[str, str], now: float) -> dict[str, bytes]:
        """The indexes of the suite and the signatures over them, by their paths."""
        suite = f"dists/{SUITE}"
        files: dict[str, bytes] = {}
        lines: list[str] = []
        for arch, text in packages.items():
            for name, data in (("Packages", text.encode()), ("Packages.gz", gzip.compress(text.encode(), mtime=0))):
                sha256 = hashlib.sha256(data).hexdigest()
                where = f"{COMPONENT}/binary-{arch}"
                files[f"{suite}/{where}/{name}"] = data
                files[f"{suite}/{where}/by-hash/SHA256/{sha256}"] = data
                lines.append(f" {sha256} {len(data)} {where}/{name}\n")
        head = {
            "Origin": "Escalator",
            "Label": "Escalator",
            "Suite": SUITE,
            "Codename": SUITE,
            "Date": formatdate(now, usegmt=True),
            "Architectures": " ".join(packages),
            "Components": COMPONENT,
            "Acquire-By-Hash": "yes",
            "Description": "Releases imported into Escalator",
        }
        release = "".join(f"{key}: {value}\n" for key, value in head.items()) + "SHA256:\n" + "".join(lines)
        files[f"{suite}/Release"] = release.encode()
        files[f"{suite}/Release.gpg"] = self._key.detached(release.encode())
        files[f"{suite}/InRelease"] = self._key.clear_sign(release.encode())
        return files

    def _generations(self) -> list[int]:
        folder = self._folder / "generations"
        return [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []

    def _load(self) -> None:
        """Know the files of the newest generation, and of older ones what is named by hash."""
        known: dict[str, tuple[Path, str]] = {}
        for number in sorted(self._generations())[-KEPT_GENERATIONS:]:
            root = self._folder / "generations" / str(number)
            for file in root.rglob("*"):
                name = file.relative_to(root).as_posix()
                if file.is_file() and name != "pool.tsv":
                    known[name] = (file, "text/plain; charset=utf-8" if not name.endswith(".gz") else "application/gzip")
            for line in (root / "pool.tsv").read_text().splitlines():
                path, _, sha256 = line.partition("\t")
                known[path] = (self._blobs.path(sha256), PACKAGE)
        self._known = MappingProxyType(known)


def _entries(releases: Iterable[Release], blobs: Blobs) -> list[Entry]:
    files = {file.sha256: file for release in releases for file in release.spec.files if file.path.endswith(".deb")}
    entries = []
    for sha256, file in files.items():
        deb = read_deb(blobs.path(sha256))
        path = f"pool/{sha256[:2]}/{sha256}/{deb.name}_{re.sub('[^A-Za-z0-9.]', '-', deb.version)}_{deb.arch}.deb"
        fields = {key: value for key, value in deb.fields.items() if key not in OURS}
        fields |= {"Filename": path, "Size": str(file.length), "SHA256": sha256}
        entries.append(Entry(deb.arch, stanza(fields), path, sha256))
    return sorted(entries, key=lambda entry: entry.path)


def _architectures(entries: Iterable[Entry]) -> list[str]:
    return sorted({*ARCHITECTURES, *(entry.arch for entry in entries)} - {"all"})


def _packages(entries: Iterable[Entry], arch: str) -> str:
    return "\n".join(entry.stanza for entry in entries if entry.arch in (arch, "all"))


def _put_all(files: Mapping[Path, bytes]) -> None:
    """Write new files; all of them are on disk when this returns."""
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    sync_all([*files])
