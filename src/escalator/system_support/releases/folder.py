"""A folder as a release: `release.yaml` (or `.json`) and its files, checked in full before anything is kept."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from escalator.model.codes import Code
from escalator.model.document import MAX_PROBLEMS, Source, load, parse
from escalator.model.errors import InputError, Problem
from escalator.model.release import File, Release
from escalator.system_support.releases.deb import Deb, NotADebError, read_deb

MAX_FILES = 4096
"""A release of the whole platform has a few hundred packages."""
MAX_FILE_BYTES = 8 * 2**30
"""The largest file of a release is an image of a few GiB."""
MAX_DOCUMENT_BYTES = 4 * 2**20
DOCUMENTS = ("release.yaml", "release.yml", "release.json")


@dataclass(frozen=True, slots=True)
class Found:
    """A folder that is a valid release: the document with `files` filled, and where each file lies."""

    release: Release
    digest: str
    paths: Mapping[str, Path]
    """Absolute path per `files[].path`."""


def read_folder(folder: Path) -> Found:
    """Check the folder; nothing is written. Raises InputError (`SYS_RELEASE`) with every problem found."""
    problems: list[Problem] = []
    present = _scan(folder, problems)
    release = _document(folder, present, problems)
    if release is None:
        raise _invalid(folder, problems)
    files = _files(release, present, problems)
    if release.spec.type == "deb-set":
        _check_debs(release, {file.path: present[file.path] for file in files}, problems)
    _check_playbooks(release, {file.path for file in files}, problems)
    if problems:
        raise _invalid(folder, problems)
    filled = release.model_copy(update={"spec": release.spec.model_copy(update={"files": tuple(files)})})
    return Found(filled, digest(filled), {file.path: present[file.path] for file in files})


def digest(release: Release) -> str:
    """Digest of a release with its files: the document names the hash of each."""
    text = json.dumps(release.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def hash_file(path: Path) -> tuple[int, str]:
    """Length and SHA-256, by one pass that follows no symbolic link."""
    total, state = 0, hashlib.sha256()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        while chunk := file.read(2**20):
            total += len(chunk)
            state.update(chunk)
    return total, state.hexdigest()


def _invalid(folder: Path, problems: list[Problem]) -> InputError:
    return InputError(Code.SYS_RELEASE, f"{folder.name} is not a valid release.", problems=problems[:MAX_PROBLEMS])


def _scan(folder: Path, problems: list[Problem]) -> dict[str, Path]:
    """Plain files of the folder by relative path; everything that is not plain is a problem."""
    found: dict[str, Path] = {}
    if not folder.is_dir():
        raise InputError(Code.SYS_RELEASE, f"{folder} is no folder.")
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat()
        if stat.S_ISLNK(mode.st_mode):
            problems.append(Problem(name, "this is a symbolic link; a release holds plain files only"))
        elif not stat.S_ISREG(mode.st_mode):
            problems.append(Problem(name, "this is no plain file"))
        elif mode.st_size > MAX_FILE_BYTES:
            problems.append(Problem(name, f"this file is larger than {MAX_FILE_BYTES // 2**30} GiB"))
        elif len(found) >= MAX_FILES:
            problems.append(Problem("", f"there are more than {MAX_FILES} files"))
            break
        else:
            found[name] = path
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in links)
        yield from (Path(root) / name for name in sorted([*files, *links]))


def _document(folder: Path, present: Mapping[str, Path], problems: list[Problem]) -> Release | None:
    names = [name for name in DOCUMENTS if name in present]
    if len(names) != 1:
        problems.append(Problem("release.yaml", "a release has exactly one release.yaml or release.json"))
        return None
    path = folder / names[0]
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        problems.append(Problem(names[0], f"the document is larger than {MAX_DOCUMENT_BYTES // 2**20} MiB"))
        return None
    try:
        source: Source = parse(path.read_bytes())
        return load(Release, source, code=Code.SYS_RELEASE)
    except InputError as error:
        problems.extend(error.problems or [Problem(names[0], error.message)])
        return None


def _files(release: Release, present: Mapping[str, Path], problems: list[Problem]) -> list[File]:
    """The release's files: those listed, each compared; or what the folder holds, when none is listed."""
    payload = {name: path for name, path in present.items() if name not in DOCUMENTS}
    debs = {name for name in payload if name.endswith(".deb")}
    if not release.spec.files:
        wanted = sorted(debs if release.spec.type == "deb-set" else payload)
        return [file for name in wanted if (file := _as_file(name, payload[name], problems))]
    listed = [file.path for file in release.spec.files]
    problems.extend(Problem(name, "this package is not listed under files") for name in sorted(debs - set(listed)))
    problems.extend(Problem(name, "this file is listed twice") for name in sorted({n for n in listed if listed.count(n) > 1}))
    return [file for file in release.spec.files if _matches(file, payload.get(file.path), problems)]


def _as_file(name: str, path: Path, problems: list[Problem]) -> File | None:
    length, sha256 = hash_file(path)
    try:
        return File(path=name, length=length, sha256=sha256)
    except ValidationError:
        problems.append(Problem(name, "names of files are letters, digits and ._+~- only, and begin with a letter or digit"))
        return None


def _matches(file: File, path: Path | None, problems: list[Problem]) -> bool:
    if path is None:
        problems.append(Problem(file.path, "this file is listed and is not there (or is no plain file)"))
        return False
    length, sha256 = hash_file(path)
    if length != file.length:
        problems.append(Problem(file.path, f"this file has {length} bytes; the release says {file.length}"))
    elif sha256 != file.sha256:
        problems.append(Problem(file.path, "this file's SHA-256 is not the one that the release says"))
    return (length, sha256) == (file.length, file.sha256)


def _check_playbooks(release: Release, files: set[str], problems: list[Problem]) -> None:
    for role, path in release.spec.playbooks.items():
        if path not in files:
            problems.append(Problem(f"spec.playbooks.{role}", f"the bundle has no file {path}"))


def _check_debs(release: Release, files: Mapping[str, Path], problems: list[Problem]) -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for name, path in files.items():
        if not name.endswith(".deb"):
            continue
        deb = _deb(name, path, problems)
        if deb is None:
            continue
        twin = seen.setdefault((deb.name, deb.version, deb.arch), name)
        if twin != name:
            problems.append(Problem(name, f"{twin} is the same package, version and architecture"))
    provided = {(package, version) for package, version, _ in seen}
    for index, pin in enumerate(release.spec.packages):
        if (pin.name, pin.version) not in provided:
            message = f"no package of the set is {pin.name} in version {pin.version}"
            problems.append(Problem(f"spec.packages[{index}]", message))


def _deb(name: str, path: Path, problems: list[Problem]) -> Deb | None:
    try:
        return read_deb(path)
    except NotADebError as error:
        problems.append(Problem(name, str(error)))
        return None
