"""What a bed needs on this machine: Debian's database and broker, and a virtual environment with OpenStack."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from beds.openstack.layout import DAEMONS, HERE
from beds.venvs import NotInstalledError, digest, ensured, locked

LOCK_FILE = HERE / "requirements.lock"
PACKAGES = {"mariadbd": "mariadb-server", "rabbitmq-server": "rabbitmq-server"}
"""Program and the Debian package that has it."""
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


def start_lock() -> AbstractContextManager[None]:
    """One bed starts at a time: it makes what the next one finds, and takes its ports in peace."""
    return locked("openstack")


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
    """The virtual environment of exactly the lock file."""
    try:
        return ensured("openstack-venv", LOCK_FILE)
    except NotInstalledError as error:
        raise UnmetError(f"OpenStack: {error}") from error
