"""A folder as a release: `release.yaml` (or `.json`) and its files, checked in full before anything is kept."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from escalator.model.codes import Code
from escalator.model.counting import counted
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
NOT_PLAIN = "names of files are letters, digits and ._+~- only, and begin with a letter or digit"


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
    release, wanted = _choose(folder, problems)
    listed = {file.path: file for file in release.spec.files}
    files = [file for name, path in wanted.items() if (file := _hashed(name, path, listed.get(name), problems))]
    if problems:
        raise invalid(folder.name, problems)
    filled = with_files(release, files)
    return Found(filled, digest(filled), {file.path: wanted[file.path] for file in files})


def choose_files(folder: Path) -> tuple[Release, Mapping[str, Path]]:
    """The document and where each file of it lies, in order, without reading the files as a whole.

    Checks all that `read_folder` checks but lengths and hashes. Raises InputError (`SYS_RELEASE`) with every problem.
    """
    problems: list[Problem] = []
    release, wanted = _choose(folder, problems)
    if problems:
        raise invalid(folder.name, problems)
    return release, wanted


def check_contents(release: Release, paths: Mapping[str, Path]) -> None:
    """What is asked of a release beside its hashes: no file twice, and pins that its packages fulfil.

    Raises InputError (`SYS_RELEASE`) with every problem.
    """
    problems = [*_twice(release)]
    _check_playbooks(release, paths, problems)
    if release.spec.type == "deb-set":
        _check_debs(release, paths, problems)
    if problems:
        raise invalid(release.id, problems)


def with_files(release: Release, files: Sequence[File]) -> Release:
    """The release with these files listed."""
    return release.model_copy(update={"spec": release.spec.model_copy(update={"files": tuple(files)})})


def canonical(release: Release) -> bytes:
    """The one way in which a document is written where bytes count: every key, sorted, without spaces."""
    return json.dumps(release.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":")).encode()


def digest(release: Release) -> str:
    """Digest of a release with its files: the document names the hash of each."""
    return f"sha256:{hashlib.sha256(canonical(release)).hexdigest()}"


def hash_file(path: Path) -> tuple[int, str]:
    """Length and SHA-256, by one pass that follows no symbolic link."""
    total, state = 0, hashlib.sha256()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        while chunk := file.read(2**20):
            total += len(chunk)
            state.update(chunk)
    return total, state.hexdigest()


def invalid(name: str, problems: Sequence[Problem]) -> InputError:
    """The error that names what is wrong with a release."""
    return InputError(Code.SYS_RELEASE, f"{name} is not a valid release.", problems=problems[:MAX_PROBLEMS])


def _choose(folder: Path, problems: list[Problem]) -> tuple[Release, dict[str, Path]]:
    present = _scan(folder, problems)
    release = _document(folder, present, problems)
    if release is None:
        raise invalid(folder.name, problems)
    wanted = _wanted(release, present, problems)
    _check_playbooks(release, wanted, problems)
    if release.spec.type == "deb-set":
        _check_debs(release, wanted, problems)
    return release, wanted


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


def _wanted(release: Release, present: Mapping[str, Path], problems: list[Problem]) -> dict[str, Path]:
    """The release's files: those listed; or what the folder holds, when none is listed."""
    payload = {name: path for name, path in present.items() if name not in DOCUMENTS}
    debs = {name for name in payload if name.endswith(".deb")}
    if not release.spec.files:
        names = sorted(debs if release.spec.type == "deb-set" else payload)
        problems.extend(Problem(name, NOT_PLAIN) for name in names if not _plain(name))
        return {name: payload[name] for name in names}
    listed = [file.path for file in release.spec.files]
    problems.extend(Problem(name, "this package is not listed under files") for name in sorted(debs - set(listed)))
    problems.extend(_twice(release))
    missing = [name for name in listed if name not in payload]
    problems.extend(Problem(name, "this file is listed and is not there (or is no plain file)") for name in missing)
    return {name: payload[name] for name in listed if name in payload}


def _twice(release: Release) -> list[Problem]:
    counted = Counter(file.path for file in release.spec.files)
    return [Problem(name, "this file is listed twice") for name in sorted(counted) if counted[name] > 1]


def _plain(name: str) -> bool:
    try:
        File(path=name, length=0, sha256="0" * 64)
    except ValidationError:
        return False
    return True


def _hashed(name: str, path: Path, listed: File | None, problems: list[Problem]) -> File | None:
    length, sha256 = hash_file(path)
    if not _plain(name):
        return None  # said already
    found = File(path=name, length=length, sha256=sha256)
    problem = None if listed is None else differs(listed, found)
    if problem is not None:
        problems.append(problem)
    return found


def differs(listed: File, found: File) -> Problem | None:
    """How a file is other than the document says; None = it is the one."""
    if found.length != listed.length:
        return Problem(listed.path, f"this file has {counted(found.length, 'byte')}; the release says {listed.length}")
    if found.sha256 != listed.sha256:
        return Problem(listed.path, "this file's SHA-256 is not the one that the release says")
    return None


def _check_playbooks(release: Release, files: Mapping[str, Path], problems: list[Problem]) -> None:
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
