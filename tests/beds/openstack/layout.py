"""Where one bed keeps its files and which ports of 127.0.0.1 it takes."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DAEMONS = HERE / "daemons"
REGION = "RegionOne"
SERVICES = ("keystone", "placement", "nova", "glance", "neutron", "rabbit", "rabbit_dist", "epmd", "nothing")
"""Names of the ports, in order from the base. Nobody listens on `nothing`: it is the unreachable cloud."""
FIRST_BASE, STEP, BASES = 15000, 20, 40


def cache_dir() -> Path:
    """Where what is dear to make is kept from one start to the next."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "escalator-beds"


@dataclass(frozen=True)
class Layout:
    """The folder and the ports of one bed."""

    run: Path
    base: int

    def port(self, service: str) -> int:
        return self.base + SERVICES.index(service)

    def url(self, service: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port(service)}{path}"

    @property
    def socket(self) -> Path:
        return self.run / "mysql.sock"

    @property
    def pids(self) -> Path:
        return self.run / "pid"

    @property
    def logs(self) -> Path:
        return self.run / "log"

    @property
    def etc(self) -> Path:
        return self.run / "etc"

    @property
    def state(self) -> Path:
        return self.run / "state"

    @property
    def hosts(self) -> Path:
        """One `HOST.json` of facts and one `HOST.faults.json` for each hypervisor."""
        return self.run / "hosts"

    @property
    def clouds(self) -> Path:
        return self.etc / "clouds.yaml"

    @property
    def ports_file(self) -> Path:
        """The network ports that the stand-in for Neutron shows to the driver."""
        return self.run / "ports.json"

    def make(self) -> None:
        for folder in (self.pids, self.logs, self.hosts, self.run / "lock", self.state / "keystone"):
            folder.mkdir(parents=True, exist_ok=True)
        for service in ("keystone", "nova", "placement", "glance"):
            (self.etc / service).mkdir(parents=True, exist_ok=True)
        for folder in ("nova", "glance/images", "vms"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)


def free_base() -> int:
    """The first base of which every port is free now. Held by the lock of the start until the services listen."""
    for number in range(BASES):
        base = FIRST_BASE + number * STEP
        if all(_free(base + offset) for offset in range(len(SERVICES))):
            return base
    raise RuntimeError(f"no free block of ports between {FIRST_BASE} and {FIRST_BASE + BASES * STEP}")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
