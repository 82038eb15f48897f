"""What the bed of real hypervisors needs on this machine, and the guest that it runs: a kernel and one program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from beds.openstack.environment import UnmetError
from beds.openstack.environment import unmet as unmet_of_openstack
from beds.openstack.layout import cache_dir
from beds.venvs import digest

HERE = Path(__file__).resolve().parent
PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "libvirtd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "cc": "gcc",
    "cpio": "cpio",
    "gzip": "gzip",
    "dpkg-deb": "dpkg",
}
"""Each program and the Debian package that has it."""
BINDINGS = Path("/usr/lib/python3/dist-packages")
"""Where python3-libvirt puts what Nova talks to libvirt with."""
KERNEL = "linux-image-cloud-amd64"
MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
)
"""What the guest's kernel needs for its network card, in the order of their dependence."""


def unmet() -> str | None:
    """Why this machine cannot carry the bed; None when it can. Nothing is installed for it."""
    reason = unmet_of_openstack()
    if reason:
        return reason
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        return f"real hypervisors need the packages {', '.join(missing)}"
    tag = f"cpython-{sys.version_info.major}{sys.version_info.minor}-"
    if not (BINDINGS / "libvirt.py").exists() or not list(BINDINGS.glob(f"libvirtmod.{tag}*.so")):
        return f"real hypervisors need the package python3-libvirt for Python {sys.version_info.major}.{sys.version_info.minor}"
    return None


def bindings(folder: Path) -> Path:
    """A folder with the bindings alone, so that nothing else of the system's Python gets into Nova's environment."""
    folder.mkdir(exist_ok=True)
    for file in (BINDINGS / "libvirt.py", BINDINGS / "libvirtaio.py", *BINDINGS.glob("libvirtmod*.so")):
        link = folder / file.name
        if not link.exists():
            link.symlink_to(file)
    return folder


def ensure_guest() -> tuple[Path, Path]:
    """Kernel and first file system of the guest; made once for each version of the kernel and of the program."""
    package = _kernel_package()
    source = HERE / "guest" / "init.c"
    place = cache_dir() / f"libvirt-guest-{package}-{digest(source, Path(__file__))[:16]}"
    if not place.exists():
        scratch = cache_dir() / f"libvirt-guest.scratch-{os.getpid()}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            _make_guest(scratch, package, source)
            scratch.rename(place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return place / "vmlinuz", place / "initrd.gz"


def _kernel_package() -> str:
    found = _run(["apt-cache", "depends", KERNEL]).split("Depends:")
    if len(found) < 2:
        raise UnmetError(f"there is no package {KERNEL} for the guest's kernel: apt-get update?")
    return found[1].split()[0]


def _make_guest(folder: Path, package: str, source: Path) -> None:
    """The kernel's package is unpacked, not installed: this machine goes on with its own."""
    _run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package], folder)
    kernel = folder / "kernel"
    _run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(kernel)])
    (folder / "vmlinuz").write_bytes(next((kernel / "boot").glob("vmlinuz-*")).read_bytes())
    root = folder / "root"
    (root / "modules").mkdir(parents=True)
    order = []
    for name in MODULES:
        for file in kernel.rglob(f"{name}.ko"):  # one that is built in has no file
            shutil.copy(file, root / "modules")
            order.append(f"/modules/{name}.ko\n")
    (root / "modules" / "order").write_text("".join(order), encoding="ascii")
    _run(["cc", "-O2", "-static", "-o", str(root / "init"), str(source), "-lpthread"])
    # The kernel gives its first process the console only where this node is there already.
    (root / "dev").mkdir()
    os.mknod(root / "dev" / "console", 0o600 | 0o020000, os.makedev(5, 1))
    _run(["sh", "-c", "find . | cpio --quiet -o -H newc | gzip -1 > ../initrd.gz"], root)
    shutil.rmtree(root)
    shutil.rmtree(kernel)
    next(folder.glob("*.deb")).unlink()


def _run(argv: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnmetError(f"{argv[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
