"""Virtual environments of exactly a lock file, kept from one run to the next: what tests run and do not import."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from beds.openstack.layout import cache_dir

MARK = "escalator-lock.sha256"


class NotInstalledError(RuntimeError):
    """The packages could not be had; the text says why."""


def digest(*files: Path) -> str:
    """One hash over the files' contents, in order."""
    sums = hashlib.sha256()
    for file in files:
        sums.update(hashlib.sha256(file.read_bytes()).digest())
    return sums.hexdigest()


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time makes what the next one finds."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensured(name: str, lock_file: Path, *options: str) -> Path:
    """The environment of that lock file; made in a scratch folder, so that a broken one is never used.

    `options` go to the installer. Raises NotInstalledError.
    """
    place = cache_dir() / name
    wanted = digest(lock_file)
    mark = place / MARK
    if mark.exists() and mark.read_text(encoding="ascii").strip() == wanted:
        return place
    old = cache_dir() / f"{name}.old-{os.getpid()}"
    if place.exists():
        place.rename(old)
    try:
        _make(place, lock_file, options)
        mark.write_text(wanted, encoding="ascii")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
    return place


def _make(place: Path, lock_file: Path, options: tuple[str, ...]) -> None:
    # Scripts carry the folder's name, so it is made where it stays; the mark is written last and alone makes it usable.
    venv.create(place, with_pip=True, symlinks=True)
    python = place / "bin" / "python"
    uv = shutil.which("uv") or _beside_python("uv")
    installer = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install", "-q"]
    argv = [*installer, *options, "--require-hashes", "-r", str(lock_file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalledError(f"{lock_file.name} could not be installed: {done.stderr.strip()[-800:]}")


def _beside_python(name: str) -> str | None:
    candidate = Path(sys.executable).parent / name
    return str(candidate) if candidate.exists() else None
