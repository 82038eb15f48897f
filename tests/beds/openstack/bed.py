"""A real OpenStack control plane on this machine: Keystone, Placement, Glance, Nova, and hypervisors that pretend.

By hand: `python tests/beds/openstack/bed.py up --nodes 4` and `… down`; `env` prints the path of `clouds.yaml`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from beds.openstack import processes, template
from beds.openstack.cloud import BedCloud
from beds.openstack.environment import UnmetError, ensure_packages, ensure_venv, start_lock, unmet
from beds.openstack.layout import Layout, cache_dir, free_base
from beds.openstack.services import Services

PREFIX = "escalator-openstack-"
RUNS = cache_dir() / "openstack-runs"
"""One file for each bed that was started, with its folder."""
COMPUTE_WAIT_S = 120.0
POLL_S = 0.2


class OpenStackBed:
    """One bed. Hosts are hypervisors that forget nothing when they are killed and suffer what tests ask for."""

    def __init__(self, run: Path | None = None) -> None:
        self.run = run or Path(tempfile.gettempdir()) / f"{PREFIX}{os.getpid()}"
        self._services: Services | None = None
        self._cloud: BedCloud | None = None
        self.hosts: tuple[str, ...] = ()

    # Life

    def start(self, nodes: int = 4, names: Sequence[str] = ()) -> None:
        """Bring everything up with these hosts (`cn-01`, … when no names are given); raises UnmetError when it cannot."""
        check()
        self.hosts = tuple(names) or tuple(f"cn-{number:02}" for number in range(1, nodes + 1))
        with start_lock():
            sweep()
            venv, made = _prepared()
            self._services = Services(Layout(self.run, free_base()), venv)
            self._services.stop()  # what an earlier run of this folder left
            try:
                self._start(made)
            except BaseException:
                self.keep_logs()
                self.stop()
                raise

    def _start(self, made: Path) -> None:
        services = self.services
        services.write_config()
        processes.note(self.run / "owner", os.getpid())
        RUNS.mkdir(parents=True, exist_ok=True)
        (RUNS / str(self.layout.base)).write_text(str(self.run), encoding="utf-8")
        services.start_broker()
        services.start_database()
        template.copy_state(made, self.layout)
        template.load(made, services)
        services.start_neutron()
        for name in ("keystone", "placement", "glance"):
            services.start_api(name)
        services.wait_api("keystone")
        services.wait_broker()
        services.start_api("nova")
        services.start_daemon("nova-conductor")
        services.start_daemon("nova-scheduler")
        services.start_computes(self.hosts)
        for name in ("placement", "glance", "nova"):
            services.wait_api(name)
        self.wait_up(self.hosts)

    def stop(self) -> None:
        """Stop everything and remove the folder."""
        if self._cloud is not None:
            self._cloud.close()
            self._cloud = None
        if self._services is not None:
            self._services.stop()

    def keep_logs(self) -> None:
        """Show the end of each log that tells of an error, for who reads the test's output."""
        for log in sorted(self.layout.logs.glob("*")):
            if log.is_file():
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
                bad = [line for line in lines if " ERROR " in line or "Traceback" in line or "Error" in line]
                if bad:
                    print(f"--- {log.name}", *bad[-5:], sep="\n", file=sys.stderr)

    @property
    def services(self) -> Services:
        if self._services is None:
            raise RuntimeError("the bed is not started")
        return self._services

    @property
    def layout(self) -> Layout:
        return self.services.layout

    @property
    def clouds_yaml(self) -> Path:
        """Entries `bed` (admin), `escalator`, `reader`, `wrong-password`, `unreachable`."""
        return self.layout.clouds

    @property
    def cloud(self) -> BedCloud:
        """The tenants' and the operator's hands in this cloud."""
        if self._cloud is None:
            self._cloud = BedCloud(self.clouds_yaml)
        return self._cloud

    # Hosts

    def kill_compute(self, host: str) -> None:
        """End the hypervisor of the host at once, as a power cut would."""
        file = self._pid_file(host)
        pid = processes.living(file)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            while processes.living(file) is not None:
                time.sleep(POLL_S / 10)

    def start_compute(self, host: str) -> None:
        """Start the hypervisor of the host again; `wait_up` says when the cloud has noticed."""
        if processes.living(self._pid_file(host)) is None:
            (self.run / "zygote.fifo").write_text(f"{host}\n", encoding="utf-8")

    def restart_compute(self, *hosts: str) -> None:
        """Kill hypervisors, start them again and wait until the cloud has what they say of themselves now."""
        for host in hosts:
            self.kill_compute(host)
        before = {host: self.cloud.service(host)["updated_at"] for host in hosts}
        for host in hosts:
            self.start_compute(host)
        # A host tells of its resources first and reports itself alive afterwards.
        for host in hosts:
            reported = partial(self._reported_since, host, before[host])
            self.cloud.wait(reported, f"{host} does not report", COMPUTE_WAIT_S)

    def _reported_since(self, host: str, before: str) -> bool:
        return bool(self.cloud.service(host)["updated_at"] > before)

    def wait_up(self, hosts: Sequence[str], timeout_s: float = COMPUTE_WAIT_S) -> None:
        """Wait until the cloud sees these hosts as up, with their resources."""
        self.cloud.wait(lambda: set(hosts) <= self.cloud.hosts_up(), f"{hosts} are not up", timeout_s)

    def wait_down(self, host: str, timeout_s: float = COMPUTE_WAIT_S) -> None:
        """Wait until the cloud has noticed that the host is silent."""
        self.cloud.wait(lambda: host not in self.cloud.hosts_up(), f"{host} is still up", timeout_s)

    def _pid_file(self, host: str) -> Path:
        return self.layout.pids / f"compute-{host}.pid"

    def reset(self, *, keep_facts: bool = False) -> None:
        """An empty cloud of healthy hosts again: no instances, faults, ports, aggregates, cordons; every host is up."""
        for host in self.hosts:
            self._faults_file(host).unlink(missing_ok=True)
            self.start_compute(host)
        self.layout.ports_file.unlink(missing_ok=True)
        services = self.cloud.services()
        for host in self.hosts:
            service = services[host]
            if service["status"] != "enabled" or service["disabled_reason"]:
                self.cloud.set_service(host, status="enabled")
            if service["forced_down"]:
                self.cloud.set_service(host, forced_down=False)
        self.wait_up(self.hosts)
        self.cloud.clear()
        # Only now: Placement refuses to take away what an instance uses.
        changed = [host for host in self.hosts if self.facts_file(host).exists() and not keep_facts]
        for host in changed:
            self.facts_file(host).unlink()
        self.restart_compute(*changed)

    # Files that hosts read again at each call

    def facts_file(self, host: str) -> Path:
        """`HOST.json`, which says what the host is; its keys stand in `daemons/virt/osbed_fake.py`."""
        return self.layout.hosts / f"{host}.json"

    def set_facts(self, host: str, **facts: Any) -> None:
        """What the host is: hypervisor_version, hypervisor_version_file, vcpus, memory_mb, inventory, traits.

        The cloud sees it within ten seconds, or when the host is started again.
        """
        _replace(self.facts_file(host), facts)

    def set_fault(self, host: str, **faults: dict[str, Any]) -> None:
        """What goes wrong on the host from now on, by operation; nothing when nothing is named."""
        _replace(self._faults_file(host), faults)

    def _faults_file(self, host: str) -> Path:
        return self.layout.hosts / f"{host}.faults.json"

    def set_ports(self, ports: Sequence[dict[str, str]]) -> None:
        """The SR-IOV ports that the cloud shows: id, device_id and binding:vnic_type of each."""
        _replace(self.layout.ports_file, list(ports))


def _replace(file: Path, value: object) -> None:
    scratch = file.with_suffix(".tmp")
    scratch.write_text(json.dumps(value), encoding="utf-8")
    scratch.replace(file)


def check() -> None:
    """Raise UnmetError where this machine cannot carry a bed."""
    reason = unmet()
    if reason:
        raise UnmetError(reason)


def prepare() -> None:
    """Make what every bed starts from, unless it is there: it takes minutes. Raises UnmetError."""
    check()
    with start_lock():
        _prepared()


def _prepared() -> tuple[Path, Path]:
    """The environment and the template."""
    ensure_packages()
    venv = ensure_venv()
    return venv, template.ensure_template(venv)


def sweep() -> None:
    """Stop beds whose owner died without doing so."""
    for entry in RUNS.glob("*"):
        run = Path(entry.read_text(encoding="utf-8"))
        if (run / "by-hand").exists() or processes.living(run / "owner") is not None:
            continue
        Services(Layout(run, 0), Path("/nonexistent")).stop()
        entry.unlink()


def main(argv: Sequence[str] | None = None) -> int:
    """Start or stop a bed that outlives this command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("up", "down", "env"))
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--names", nargs="*", default=(), help="names of the hosts, instead of cn-01 and so on")
    parser.add_argument("--run", type=Path, default=Path(tempfile.gettempdir()) / f"{PREFIX}by-hand")
    arguments = parser.parse_args(argv)
    if arguments.what == "env":
        print(f"export OS_CLIENT_CONFIG_FILE={Layout(arguments.run, 0).clouds} OS_CLOUD=bed")
        return 0
    if arguments.what == "down":
        Services(Layout(arguments.run, 0), Path("/nonexistent")).stop()
        return 0
    bed = OpenStackBed(arguments.run)
    began = time.monotonic()
    try:
        bed.start(arguments.nodes, arguments.names)
    except UnmetError as error:
        print(error, file=sys.stderr)
        return 1
    (bed.run / "by-hand").touch()
    bed.cloud.close()
    print(f"{len(bed.hosts)} hosts up after {time.monotonic() - began:.0f} s; clouds.yaml: {bed.clouds_yaml}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
