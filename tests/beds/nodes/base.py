"""The nodes' root file system: built once by mmdebstrap from the machine's own apt sources, then read only."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "openssh-server", "mount", "python3", "iproute2", "procps", "ca-certificates", "sudo",
    "systemd", "systemd-sysv", "dbus", "libpam-systemd",
)  # fmt: skip
LEAN = tuple(f"path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale"))
HOOKS = (
    'rm -f "$1"/etc/ssh/ssh_host_*',
    'echo uninitialized > "$1"/etc/machine-id',
    # nodes know no package source but the one that the manager gives them
    'rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*',
    # test nodes may lose data on power loss of the real machine; dpkg is several times faster
    'echo force-unsafe-io > "$1"/etc/dpkg/dpkg.cfg.d/unsafe-io',
    'rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*',
)


class CannotRunError(Exception):
    """The bed cannot run on this machine; the message says why."""


def cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "escalator-beds"


def base() -> Path:
    """The root file system, built if it is not in the cache (about a minute)."""
    key = hashlib.sha256(repr((PACKAGES, LEAN, HOOKS, codename())).encode()).hexdigest()[:16]
    target = cache_dir() / f"nodes-base-{key}"
    if target.is_dir():
        return target
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "nodes-base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _build(target)
    return target


def _build(target: Path) -> None:
    need("mmdebstrap")
    sources = list(apt_sources(Path("/etc/apt"), codename()))
    if not sources:
        raise CannotRunError("no apt source of this machine's own release was found")
    work = Path(tempfile.mkdtemp(prefix="building-", dir=target.parent))
    try:
        command = [
            "mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(PACKAGES)}",
            '--aptopt=Acquire::Languages "none"', *(f"--dpkgopt={line}" for line in LEAN),
            *(f"--customize-hook={hook}" for hook in HOOKS), codename(), str(work / "root"), "-",
        ]  # fmt: skip
        done = subprocess.run(command, input="\n".join(sources) + "\n", text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise CannotRunError(f"mmdebstrap failed:\n{done.stderr[-2000:]}")
        (work / "root").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def need(program: str) -> None:
    """Have the program, or install its package of the same name."""
    if shutil.which(program) is None:
        subprocess.run(["apt-get", "install", "-y", "-qq", program], capture_output=True, check=False)
    if shutil.which(program) is None:
        raise CannotRunError(f"{program} is not installed and could not be")


def codename() -> str:
    lines = (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines())
    values = {key: shlex.split(value)[0] for key, _, value in lines if value}
    if "VERSION_CODENAME" not in values or shutil.which("apt-get") is None:
        raise CannotRunError("this machine's own release is not Debian or Ubuntu")
    return values["VERSION_CODENAME"]


def apt_sources(folder: Path, suite: str) -> Iterator[str]:
    """The machine's own `deb` lines of this release, from both formats of apt's sources."""
    for file in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]:
        if file.exists():
            yield from (line for line in file.read_text().splitlines() if line.startswith("deb ") and f" {suite}" in line)
    for file in sorted((folder / "sources.list.d").glob("*.sources")):
        for paragraph in file.read_text().split("\n\n"):
            yield from _deb822(paragraph, suite)


def _deb822(paragraph: str, suite: str) -> Iterator[str]:
    pairs = (line.partition(":") for line in paragraph.splitlines() if ":" in line and not line.startswith(("#", " ")))
    fields = {key: value.strip() for key, _, value in pairs}
    if "deb" not in fields.get("Types", "").split():
        return
    signed = f"[signed-by={fields['Signed-By']}] " if fields.get("Signed-By", "").startswith("/") else ""
    for one in fields.get("Suites", "").split():
        if one == suite or one.startswith(f"{suite}-"):
            for uri in fields.get("URIs", "").split():
                yield f"deb {signed}{uri} {one} {fields.get('Components', 'main')}"


if __name__ == "__main__":
    print(base())
