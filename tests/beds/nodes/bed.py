"""Real hosts for tests: own address, hostname, sshd, dpkg database and boot id; seen from the root network namespace.

    with NodesBed(folder) as bed:
        bed.add("cn-01")                      # kind "ns": namespaces and overlayfs; "systemd": systemd-nspawn
        bed.wait("cn-01")
        bed.exec("cn-01", "dpkg-query", "-W")

The fabric is a bridge in a namespace of its own, without an address. The manager's address, 10.77.<slot>.1, is on the
root end of a veth pair into that bridge, so one manager reaches the nodes and services on 127.0.0.1. Several beds can
run at once, each in its slot; what a crashed run left behind is swept away when the next bed starts.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from beds.nodes.base import CannotRunError, base
from beds.nodes.slots import Slot, is_in, kill_all, pids, run

HOST_SCRIPTS = Path(__file__).with_name("host")
Kind = Literal["ns", "systemd"]


@dataclass(frozen=True)
class Host:
    """One node of the bed."""

    name: str
    kind: Kind
    index: int
    netns: str
    address: str
    folder: Path


class NodesBed:
    """A fabric and its nodes. `folder` (disk-backed) holds their writable layers, keys and consoles."""

    def __init__(self, folder: Path) -> None:
        check_can_run()
        self.folder = folder
        self._base = base()
        self._slot = Slot()
        self._hosts: dict[str, Host] = {}
        self._inits: dict[str, int | None] = {}
        self._watchers: list[threading.Event] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.key = folder / "client_key"
        """Private key that every node accepts for root."""
        self.known_hosts = folder / "known_hosts"
        """The nodes' host keys, under name and address."""
        self.known_hosts.write_text("")
        if not self.key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bed", "-f", str(self.key))
        self._fabric()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def manager_address(self) -> str:
        """Where nodes reach the manager."""
        return f"10.77.{self._slot.number}.1"

    @property
    def names(self) -> list[str]:
        return list(self._hosts)

    def address(self, name: str) -> str:
        return self._hosts[name].address

    def addresses(self) -> dict[str, str]:
        """Address per node: the value of the setting `system.ssh.addresses`."""
        return {host.name: host.address for host in self._hosts.values()}

    # ------------------------------------------------------------------ life of a node

    def add(self, name: str, kind: Kind = "ns", *, boot: bool = True) -> Host:
        """Make a node and switch it on. Returns before its sshd answers: see `wait`."""
        if kind == "systemd" and shutil.which("systemd-nspawn") is None:
            raise CannotRunError("systemd-nspawn is not installed")
        index = len(self._hosts) + 1
        netns = f"{self._slot.prefix}-{index}"
        host = Host(name, kind, index, netns, f"10.77.{self._slot.number}.{10 + index}", self.folder / "hosts" / name)
        self._hosts[name] = host
        self._plug_in(host)
        self._seed(host)
        if boot:
            self.start(name)
        return host

    def add_many(self, names: Iterable[str], kind: Kind = "ns") -> None:
        """Make and boot nodes in parallel; returns when all answer."""
        names = list(names)
        for name in names:
            self.add(name, kind, boot=False)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.start, names))
            list(pool.map(self.wait, names))

    def start(self, name: str) -> None:
        """Switch on."""
        host = self._hosts[name]
        (host.folder / "state/halt").unlink(missing_ok=True)
        with (host.folder / "state/console.log").open("ab") as console:
            # setsid forks: the supervisor is nobody's child here and needs no reaping
            subprocess.run(
                # A node's init is told to reboot by SIGHUP, which whoever started the tests may have had ignored.
                ["setsid", "-f", "env", "--default-signal=HUP", "nsenter", f"--net=/run/netns/{host.netns}",
                 str(HOST_SCRIPTS / "nodesup"),
                 host.kind, host.netns, name, str(host.folder), str(self._base)],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, check=True,
            )  # fmt: skip

    def wait(self, name: str, timeout_s: float = 60.0) -> None:
        """Return when the node's sshd answers."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            try:
                with socket.create_connection((self.address(name), 22), timeout=0.5) as link:
                    link.settimeout(5.0)
                    if link.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.05)
        console = (self._hosts[name].folder / "state/console.log").read_text(errors="replace")
        raise CannotRunError(f"{name} does not answer over SSH; its console ends with:\n{console[-1500:]}")

    def stop(self, name: str) -> None:
        """Shut down in good order."""
        host = self._hosts[name]
        (host.folder / "state/halt").touch()
        init = self.init_pid(name)
        if init is not None:
            os.kill(init, signal.SIGRTMIN + 4 if host.kind == "systemd" else signal.SIGTERM)
        end = time.monotonic() + 10
        while pids(host.netns) and time.monotonic() < end:
            time.sleep(0.05)
        kill_all(host.netns)

    def reboot(self, name: str) -> None:
        """Reboot in good order, as somebody at the console would; returns at once."""
        init = self.init_pid(name)
        if init is None:
            raise CannotRunError(f"{name} is off")
        os.kill(init, signal.SIGRTMIN + 5 if self._hosts[name].kind == "systemd" else signal.SIGHUP)

    def will_stay_off(self, name: str) -> None:
        """The next reboot does not come back; `start` switches it on again."""
        (self._hosts[name].folder / "state/halt").touch()

    def kill(self, name: str) -> None:
        """Power loss: everything on the node ends at once; `start` switches it on again."""
        host = self._hosts[name]
        (host.folder / "state/halt").touch()
        kill_all(host.netns)

    def remove(self, name: str) -> None:
        """Take the node away with everything it wrote."""
        self.kill(name)
        host = self._hosts.pop(name)
        run("ip", "netns", "del", host.netns, check=False)
        shutil.rmtree(host.folder, ignore_errors=True)

    def close(self) -> None:
        """End all nodes and the fabric."""
        for ends in self._watchers:
            ends.set()
        self._slot.close()
        shutil.rmtree(self.folder / "hosts", ignore_errors=True)

    # ------------------------------------------------------------------ looking and breaking

    def exec(self, name: str, *argv: str, check: bool = True) -> str:
        """Run a command on the node past its sshd; returns its standard output."""
        init = self.init_pid(name)
        if init is None:
            raise CannotRunError(f"{name} is off")
        return run("nsenter", "-t", str(init), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--", *argv, check=check)

    def init_pid(self, name: str) -> int | None:
        """The node's PID 1 as this machine numbers it; None while the node is off."""
        netns = self._hosts[name].netns
        known = self._inits.get(name)
        if known is not None and is_in(known, netns) and _is_init(known):
            return known
        self._inits[name] = found = next((pid for pid in pids(netns) if _is_init(pid)), None)
        return found

    def boot_id(self, name: str) -> str | None:
        """The node's boot id; None while it is off. Cheap enough to poll."""
        init = self.init_pid(name)
        if init is None:
            return None
        try:
            found = Path(f"/proc/{init}/root/proc/sys/kernel/random/boot_id").read_text()
        except OSError:
            return None  # it ended meanwhile
        # a node that is just being put together still shows this machine's own
        return None if found == Path("/proc/sys/kernel/random/boot_id").read_text() else found.strip()

    def install(self, name: str, packages: Path) -> None:
        """Install the packages of that folder past the manager, as an operator's earlier tools did."""
        files = sorted(packages.glob("*.deb"))
        for file in files:
            Path(f"/proc/{self.init_pid(name)}/root/root/{file.name}").write_bytes(file.read_bytes())
        self.exec(name, "env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "-i", *(f"/root/{file.name}" for file in files))

    def installed(self, name: str, package: str) -> str | None:
        """Version of a package in the node's dpkg database, read past the node (also while it is off); None = not there."""
        upper = self._hosts[name].folder / "upper/var/lib/dpkg/status"
        status = upper if upper.exists() else self._base / "var/lib/dpkg/status"
        _, _, after = f"\n{status.read_text()}".partition(f"\nPackage: {package}\n")
        fields = dict(line.split(": ", 1) for line in after.partition("\n\n")[0].splitlines() if ": " in line and line[0] != " ")
        return None if fields.get("Status", "not-installed").endswith("not-installed") else fields.get("Version")

    def watch(self, names: Iterable[str], changed: Callable[[str, str | None], None], every_s: float = 0.2) -> Callable[[], None]:
        """Call `changed(name, boot id or None)` from a thread whenever one of these dies or boots; what is returned ends it.

        Only these: each look for a node that is off goes through all processes of this machine, and tests leave many such nodes.
        """
        ends = threading.Event()
        watched = tuple(names)
        self._watchers.append(ends)

        def loop() -> None:
            seen: dict[str, str | None] = {}
            while not ends.wait(every_s):
                for name in watched:
                    now = self.boot_id(name)
                    if name not in seen or seen[name] != now:
                        seen[name] = now
                        changed(name, now)

        threading.Thread(target=loop, name="nodes-bed-watch", daemon=True).start()
        return ends.set

    def cut(self, name: str) -> None:
        """Pull the node's network cable."""
        self._cable(name, "down")

    def restore(self, name: str) -> None:
        """Plug the node's network cable in again."""
        self._cable(name, "up")

    # ------------------------------------------------------------------ making

    @property
    def _fabric_ns(self) -> str:
        return f"{self._slot.prefix}-fab"

    def _fabric(self) -> None:
        root_end, fabric = self._slot.prefix, self._fabric_ns
        run("ip", "netns", "add", fabric)
        run("ip", "-n", fabric, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", fabric, "link", "set", "br0", "up")
        run("ip", "link", "add", root_end, "type", "veth", "peer", "name", "root", "netns", fabric)
        run("ip", "-n", fabric, "link", "set", "root", "master", "br0", "up")
        run("ip", "addr", "add", f"{self.manager_address}/24", "dev", root_end)
        run("ip", "link", "set", root_end, "up")

    def _plug_in(self, host: Host) -> None:
        # One MAC address per index: with another one after a restart, stale neighbour entries cost seconds.
        mac = f"02:e5:c0:00:{self._slot.number:02x}:{host.index:02x}"
        run("ip", "netns", "add", host.netns)
        run("ip", "-n", host.netns, "link", "set", "lo", "up")
        run("ip", "link", "add", f"v{host.index}", "netns", self._fabric_ns, "type", "veth",
            "peer", "name", "eth0", "address", mac, "netns", host.netns)  # fmt: skip
        run("ip", "-n", self._fabric_ns, "link", "set", f"v{host.index}", "master", "br0", "up")
        run("ip", "-n", host.netns, "addr", "add", f"{host.address}/24", "dev", "eth0")
        run("ip", "-n", host.netns, "link", "set", "eth0", "up")

    def _cable(self, name: str, to: str) -> None:
        run("ip", "-n", self._fabric_ns, "link", "set", f"v{self._hosts[name].index}", to)

    def _seed(self, host: Host) -> None:
        for part in ("upper/etc/ssh", "upper/root/.ssh", "upper/usr/local/sbin", "upper/usr/sbin", "work", "merged", "state"):
            (host.folder / part).mkdir(parents=True, exist_ok=True)
        upper = host.folder / "upper"
        upper.chmod(0o755)
        (upper / "root").chmod(0o700)
        (upper / "root/.ssh").chmod(0o700)
        (upper / "root/.ssh/authorized_keys").write_text(self.key.with_suffix(".pub").read_text())
        (upper / "etc/hostname").write_text(f"{host.name}\n")
        (upper / "etc/hosts").write_text(f"127.0.0.1 localhost\n{host.address} {host.name}\n{self.manager_address} manager\n")
        (upper / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
        shutil.copy(HOST_SCRIPTS / "escinit", upper / "usr/local/sbin/escinit")
        if host.kind == "ns":
            shutil.copy(HOST_SCRIPTS / "escreboot", upper / "usr/local/sbin/reboot")
        # Without this, invoke-rc.d on a node without systemd never restarts a daemon and dpkg does not mind. Never in a
        # chroot that is being built: there it would start daemons on the real machine.
        policy = upper / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 0\n")
        policy.chmod(0o755)
        self.new_host_key(host.name)

    def new_host_key(self, name: str, *, known: bool = True) -> None:
        """Give the node a (new) host key; with `known` its line in `known_hosts` follows. sshd reads it when it starts."""
        host = self._hosts[name]
        key = host.folder / "upper/etc/ssh/ssh_host_ed25519_key"
        for old in (key, key.with_suffix(".pub")):
            old.unlink(missing_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key))
        if known:
            others = [line for line in self.known_hosts.read_text().splitlines() if not line.startswith(f"{name},")]
            public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
            self.known_hosts.write_text("\n".join([*others, f"{name},{host.address} {public}"]) + "\n")


def check_can_run() -> None:
    """Raise CannotRunError with the reason where the bed cannot run."""
    if os.geteuid() != 0:
        raise CannotRunError("not root: network namespaces and overlay mounts need it")
    for program in ("ip", "unshare", "nsenter", "ssh-keygen", "dpkg-deb"):
        if shutil.which(program) is None:
            raise CannotRunError(f"{program} is not installed")
    if "overlay" not in Path("/proc/filesystems").read_text():
        raise CannotRunError("this kernel has no overlayfs")
    probe = f"escprobe{os.getpid()}"
    run("ip", "netns", "add", probe)
    run("ip", "netns", "del", probe)


def _is_init(pid: int) -> bool:
    """Whether the process is PID 1 of a node."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False  # it ended meanwhile
    return "\nNSpid:" in status and status.partition("\nNSpid:")[2].split("\n")[0].split()[1:] == ["1"]
