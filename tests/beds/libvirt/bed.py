"""Two real hypervisors under the real Nova of the OpenStack bed: libvirtd and QEMU in namespaces, with guests that run.

Each host has its own network, mounts, host name and libvirtd; its nova-compute runs with the host's mounts and this machine's
network. QEMU emulates the processor, so that no support for virtualisation is asked for.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from beds.libvirt.environment import bindings, ensure_guest, unmet
from beds.openstack import processes
from beds.openstack.bed import OpenStackBed
from beds.openstack.environment import UnmetError

HERE = Path(__file__).resolve().parent
HOSTS = {"hv1": "10.98.7.1", "hv2": "10.98.7.2"}
GATEWAY = "10.98.7.254/24"
"""This machine's own address in the hosts' network."""
SWITCH = "esc-hv"
FLAVOR = "guest"
KERNEL_LINE = "console=ttyS0 quiet panic=1 hpet=disable clocksource=acpi_pm"
"""Emulated guests were seen to crash after live migrations, now and then: one that does starts again."""
START_S = 180.0
BOOT_S = 180.0
"""The guest boots in 4 s on an idle machine; emulation on a busy one takes its time."""


class LibvirtBed:
    """Hosts hv1 and hv2. One at a time on a machine: the hosts' network has fixed names."""

    def __init__(self, openstack_bed: OpenStackBed) -> None:
        self.openstack = openstack_bed
        self.run = openstack_bed.run.with_name(f"{openstack_bed.run.name}-libvirt")
        self._children: list[subprocess.Popen[bytes]] = []
        self._image: str | None = None

    # Life

    def start(self) -> None:
        """Bring up both hosts and a cloud that has no others; raises UnmetError when this machine cannot carry them."""
        reason = unmet()
        if reason:
            raise UnmetError(reason)
        if subprocess.run(["ip", "link", "show", SWITCH], capture_output=True, check=False).returncode == 0:
            raise UnmetError(f"another bed of real hypervisors runs, or left its network: ip link del {SWITCH}")
        kernel, ramdisk = ensure_guest()
        self.run.mkdir(parents=True)
        try:
            self._network()
            for host in HOSTS:
                self._hypervisor(host)
            self.openstack.start(nodes=0)
            self._register(kernel, ramdisk)
            for host in HOSTS:
                self._compute(host)
            self.openstack.wait_up(tuple(HOSTS), START_S)
        except BaseException:
            self.keep_logs()
            self.stop()
            raise

    def stop(self) -> None:
        """End guests, hosts, their network, and the cloud."""
        processes.stop(self.run.glob("*.compute.pid"), self._children)
        processes.stop(self.run.glob("*.libvirtd.pid"), self._children)
        for host in HOSTS:
            _end_guests(self.run / host / "run" / "libvirt" / "qemu")
        for name in HOSTS:
            _ip("netns", "del", _namespace(name), check=False)
        _ip("link", "del", SWITCH, check=False)
        self.openstack.stop()
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.run)], check=False)

    def keep_logs(self) -> None:
        """Show the end of each log, for who reads the test's output."""
        for log in sorted([*self.run.glob("*.log"), *self.run.glob("*/libvirtd.log")]):
            print(f"--- {log}", *log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:], sep="\n")

    def _network(self) -> None:
        _ip("link", "add", SWITCH, "type", "bridge")
        _ip("addr", "add", GATEWAY, "dev", SWITCH)
        _ip("link", "set", SWITCH, "up")
        for name, address in HOSTS.items():
            netns = _namespace(name)
            _ip("netns", "add", netns)
            _ip("link", "add", f"esc-{name}", "type", "veth", "peer", "name", "eth0", "netns", netns)
            _ip("link", "set", f"esc-{name}", "master", SWITCH, "up")
            _ip("-n", netns, "link", "set", "lo", "up")
            _ip("-n", netns, "link", "add", "br0", "type", "bridge")
            _ip("-n", netns, "link", "set", "br0", "up")
            _ip("-n", netns, "link", "set", "eth0", "master", "br0", "up")
            _ip("-n", netns, "addr", "add", f"{address}/24", "dev", "br0")

    # Hosts

    def _hypervisor(self, host: str) -> None:
        self._instances.mkdir(exist_ok=True)
        words = [HERE / "host.sh", self.run / host, host.removeprefix("hv"), HOSTS[host], self._instances]
        argv = ["ip", "netns", "exec", _namespace(host), "unshare", "-m", "-u", "sh", *words]
        self._spawn(host, "libvirtd", argv, {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})

    def _compute(self, host: str) -> None:
        services = self.openstack.services
        (self.run / host / "nova").mkdir()
        configuration = self.run / f"{host}.conf"
        files = ["--config-file", services.nova_conf, "--config-file", configuration]
        configuration.write_text(self._configuration(host, " ".join(map(str, files))), encoding="utf-8")
        libvirtd = processes.living(self.run / f"{host}.libvirtd.pid")
        argv = ["nsenter", "-t", libvirtd, "-m", "-u", services.venv / "bin" / "python", HERE / "daemons" / "compute.py", *files]
        environment = services.environment(PYTHONPATH=str(bindings(self.run / "bindings")))
        self._spawn(host, "compute", argv, environment)

    def _configuration(self, host: str, files: str) -> str:
        helper = f"helper_command = {self.openstack.services.venv}/bin/privsep-helper {files}\n"
        contexts = ("nova_sys_admin", "privsep_osbrick", "vif_plug_linux_bridge_privileged", "vif_plug_ovs_privileged")
        return f"""[DEFAULT]
host = {host}
my_ip = {HOSTS[host]}
state_path = {self.run}/{host}/nova
instances_path = {self._instances}
log_file = {self.run}/{host}.nova.log
compute_driver = bed_libvirt.Driver
[libvirt]
virt_type = qemu
cpu_mode = custom
cpu_models = qemu64
live_migration_inbound_addr = {HOSTS[host]}
live_migration_scheme = tcp
[workarounds]
skip_cpu_compare_at_startup = true
skip_cpu_compare_on_dest = true
# The destination would take the guest's bare kernel for a broken disk.
disable_deep_image_inspection = true
""" + "".join(f"[{context}]\n{helper}" for context in contexts)

    def _spawn(self, host: str, what: str, argv: list[Any], environment: dict[str, str]) -> None:
        child = processes.spawn(
            argv,
            pid_file=self.run / f"{host}.{what}.pid",
            log=self.run / f"{host}.{what}.log",
            environment=environment,
        )
        self._children.append(child)

    @property
    def _instances(self) -> Path:
        """Where each host sees its own folder of instances."""
        return self.run / "instances"

    # Guests

    def _register(self, kernel: Path, ramdisk: Path) -> None:
        """Give the guest to the cloud: an empty disk that boots a kernel of its own, and a small flavor."""
        parts = {"kernel_id": self._upload("aki", kernel.read_bytes()), "ramdisk_id": self._upload("ari", ramdisk.read_bytes())}
        self._image = self._upload("raw", bytes(1 << 20), container="bare", os_command_line=KERNEL_LINE, **parts)
        body = {"flavor": {"name": FLAVOR, "vcpus": 1, "ram": 128, "disk": 0}}
        _taken(self.openstack.cloud.compute.post("/flavors", json=body))

    def _upload(self, kind: str, data: bytes, container: str = "", **properties: str) -> str:
        images = self.openstack.cloud.images
        body = {"name": f"guest-{kind}", "disk_format": kind, "container_format": container or kind, **properties}
        made: str = _taken(images.post("/v2/images", json=body)).json()["id"]
        _taken(images.put(f"/v2/images/{made}/file", data=data, headers={"Content-Type": "application/octet-stream"}))
        return made

    def boot(self, host: str, address: str, vnf: str) -> str:
        """A guest on that host with that address, which ticks; gives its id."""
        metadata = {"address": address, "vnf": vnf}
        found = self.openstack.cloud.boot(host, flavor=FLAVOR, wait=False, imageRef=self._image, metadata=metadata)
        self.openstack.cloud.wait_state(found, "ACTIVE", BOOT_S)
        self.openstack.cloud.wait(lambda: b"guest ready" in self.console(host, found), "the guest does not boot", BOOT_S)
        return found

    def console_file(self, host: str, instance: str) -> Path:
        """Where the host keeps what the guest writes to its console."""
        return self.run / host / "instances" / instance / "console.log"

    def console(self, host: str, instance: str) -> bytes:
        """What the guest wrote to its console on that host."""
        with suppress(FileNotFoundError):
            return self.console_file(host, instance).read_bytes()
        return b""


def _taken(response: Any) -> Any:
    """What the cloud answered, unless it refused."""
    if response.status_code >= 400:
        raise AssertionError(f"{response.request.method} {response.url}: {response.status_code} {response.text[:500]}")
    return response


def _namespace(host: str) -> str:
    return f"esc-{host}"


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


def _end_guests(folder: Path) -> None:
    """QEMU outlives the libvirtd that started it."""
    for file in folder.glob("*.pid"):
        pid = file.read_text(encoding="ascii").strip()
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and b"qemu-system" in command.read_bytes():
            subprocess.run(["kill", "-9", pid], check=False)
