"""What a bed needs on this machine: Debian's database and broker, and a virtual environment with OpenStack."""

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

from beds.openstack.layout import DAEMONS, HERE, cache_dir

LOCK_FILE = HERE / "requirements.lock"
PACKAGES = {"mariadbd": "mariadb-server", "rabbitmq-server": "rabbitmq-server"}
"""Program and the Debian package that has it."""
MARK = "escalator-lock.sha256"
MEMORY_MIB = 4096
"""The services take about 2 GiB, each hypervisor 60 MiB."""


class UnmetError(RuntimeError):
    """This machine cannot carry the bed; the text says why."""


def unmet() -> str | None:
    """Why this machine cannot carry the bed; None when it can."""
    if sys.platform != "linux" or not Path("/etc/debian_version").exists():
        return "the OpenStack bed needs Debian or a distribution made from it"
    if os.geteuid() != 0:
        return "the OpenStack bed needs root, to install and run a database and a message broker"
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") // 2**20
    if available < MEMORY_MIB and _available_mib() < MEMORY_MIB:
        return f"the OpenStack bed needs {MEMORY_MIB} MiB of free memory"
    return None


def _available_mib() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


@contextmanager
def start_lock() -> Iterator[None]:
    """One bed starts at a time: it makes what the next one finds, and takes its ports in peace."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "openstack.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def digest(*files: Path) -> str:
    """One hash over the files' contents, in order."""
    sums = hashlib.sha256()
    for file in files:
        sums.update(hashlib.sha256(file.read_bytes()).digest())
    return sums.hexdigest()


def template_key() -> str:
    """What the database template depends on: the versions and the files that make it."""
    made_by = [HERE / name for name in ("config.py", "layout.py", "template.py")]
    return digest(LOCK_FILE, *made_by, DAEMONS / "populate.py")[:16]


def ensure_packages() -> None:
    """Install what is missing of the database and the broker; their services are never started by the system."""
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for argv in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", *missing]):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UnmetError(f"{' '.join(argv)} failed: {done.stderr.strip()[-500:]}")


def ensure_venv() -> Path:
    """The virtual environment of exactly the lock file; made in a scratch folder, so that a broken one is never used."""
    place = cache_dir() / "openstack-venv"
    wanted = digest(LOCK_FILE)
    mark = place / MARK
    if mark.exists() and mark.read_text(encoding="ascii").strip() == wanted:
        return place
    old = cache_dir() / f"openstack-venv.old-{os.getpid()}"
    if place.exists():
        place.rename(old)
    try:
        _make_venv(place)
        mark.write_text(wanted, encoding="ascii")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
    return place


def _make_venv(place: Path) -> None:
    # Scripts carry the folder's name, so it is made where it stays; the mark is written last and alone makes it usable.
    venv.create(place, with_pip=True, symlinks=True)
    python = place / "bin" / "python"
    uv = shutil.which("uv") or _beside_python("uv")
    installer = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install", "-q"]
    argv = [*installer, "--require-hashes", "-r", str(LOCK_FILE)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnmetError(f"OpenStack could not be installed: {done.stderr.strip()[-800:]}")


def _beside_python(name: str) -> str | None:
    candidate = Path(sys.executable).parent / name
    return str(candidate) if candidate.exists() else None
