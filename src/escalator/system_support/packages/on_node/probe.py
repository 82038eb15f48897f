"""Prints facts about this node as one JSON object. Runs on the node; its one argument is a JSON object."""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

MAX_BODY = 65536
FETCH_TIMEOUT_S = 5
MAX_UNITS = 1000
SHOWN = ("Id", "Type", "BusName", "TriggeredBy", "ActiveState", "SubState", "Result", "ActiveEnterTimestampMonotonic")
BUS_SERVICES = ("/usr/share/dbus-1/system-services/", "/usr/local/share/dbus-1/system-services/", "/etc/dbus-1/system-services/")
YOUNG_S = 600  # what the bus starts when it is asked for ends after seconds or minutes without work
MEMORY_STEP_MIB = 256  # kernels of different versions keep a few MiB more or less for themselves


def read(path: str) -> str:
    """Text of a file; empty when it is not there."""
    try:
        with open(path, errors="replace") as file:  # noqa: PTH123 - this file runs on the node
            return file.read(MAX_BODY)
    except OSError:
        return ""


def output(*argv: str) -> str:
    """Standard output of a command; empty when it fails, or is not there: not every node has dpkg."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - argv of ours
    except OSError:
        return ""
    return done.stdout.decode(errors="replace")


def packages(names: list[str]) -> dict[str, list[str]]:
    """Version and state per package that the node's database knows."""
    found = {}
    for name in names:
        for line in output("dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${db:Status-Abbrev}\\n", name).splitlines():
            package, version, state = line.split("\t")
            if version and state[1:2] not in ("n", "c"):
                found[package] = [version, state.strip()]
    return found


def fetch(url: str) -> dict[str, Any]:
    """Status and body of a GET on this node; status 0 when nothing answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=FETCH_TIMEOUT_S) as answer:
            return {"status": answer.status, "body": answer.read(MAX_BODY).decode(errors="replace")}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read(MAX_BODY).decode(errors="replace")}
    except (OSError, ValueError) as error:
        return {"status": 0, "body": "", "error": str(error)[:200]}


def offers() -> dict[str, float]:
    """Countable things that this node has to offer."""
    memory = re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo"))
    mib = int(memory.group(1)) / 1024 if memory else 0
    found: dict[str, float] = {"cpus": os.cpu_count() or 0, "memory_mib": round(mib / MEMORY_STEP_MIB) * MEMORY_STEP_MIB}
    for path in glob.glob("/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages"):  # noqa: PTH207
        found["hugepages_" + path.split("/")[-2].split("-")[1]] = int(read(path) or 0)
    for path in glob.glob("/sys/bus/pci/devices/*/vendor"):  # noqa: PTH207
        ids = (read(path).strip()[2:], read(path[:-6] + "device").strip()[2:])
        found["pci_%s:%s" % ids] = found.get("pci_%s:%s" % ids, 0) + 1  # noqa: UP031
    for path in sorted(glob.glob("/etc/escalator/offers.d/*.json")):  # noqa: PTH207
        try:
            own = json.loads(read(path))
        except ValueError:
            continue  # what cannot be counted is missing from the offers, and that is seen
        items = own.items() if isinstance(own, dict) else ()
        found.update({str(k)[:100]: v for k, v in items if isinstance(v, (int, float)) and not isinstance(v, bool)})
    return found


def units() -> dict[str, list[str]]:
    """Service units that are enabled and do their part, where systemd is in charge; and those of them that run for a moment only.

    What is only started for a session or by another unit comes and goes by itself.
    """
    if not os.path.isdir("/run/systemd/system"):  # noqa: PTH112 - this file runs on the node
        return {"units": [], "passing": []}
    plain = ("--plain", "--no-legend", "--no-pager", "--full")
    files = output("systemctl", "list-unit-files", "--type=service", "--state=enabled,enabled-runtime", *plain)
    enabled = sorted({line.split()[0] for line in files.splitlines() if line.strip() and "@." not in line.split()[0]})
    listening = output("systemctl", "list-units", "--type=socket", "--state=active", *plain)
    sockets = {line.split()[0] for line in listening.splitlines() if line.strip()}
    asked = [word for name in SHOWN for word in ("-p", name)]
    shown = output("systemctl", "show", "--no-pager", *asked, *enabled[:MAX_UNITS]) if enabled else ""
    found = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n") if block.strip()]
    return judged(found, sockets, time.monotonic(), lambda name: any(os.path.exists(path + name) for path in BUS_SERVICES))  # noqa: PTH110


def judged(shown: list[dict[str, str]], sockets: set[str], now_s: float, on_bus: Callable[[str], bool]) -> dict[str, list[str]]:
    """Which of these units do their part, and which of them run for a moment only.

    One that ended well and whose socket listens is started when it is needed, and does its part. For a moment only run
    what a timer or a path started, what is `oneshot`, and what the bus can start and has started lately.
    """
    units, passing = [], []
    for unit in shown:
        triggers = unit.get("TriggeredBy", "").split()
        runs = (unit.get("ActiveState"), unit.get("SubState")) == ("active", "running")
        ended = unit.get("ActiveState") == "inactive" and unit.get("Result") == "success"
        if not runs and not (ended and sockets.intersection(triggers)):
            continue
        units.append(unit["Id"])
        age_s = now_s - int(unit.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
        by_bus = bool(unit.get("BusName")) and age_s < YOUNG_S and on_bus(unit["BusName"] + ".service")
        if unit.get("Type") == "oneshot" or by_bus or any(name.endswith((".timer", ".path")) for name in triggers):
            passing.append(unit["Id"])
    return {"units": sorted(set(units)), "passing": sorted(set(passing))}


def flavour(kernel: str) -> tuple[str, ...]:
    """What tells kernels of one kind from others: `amd64`, `rt-amd64`, `el.x_64`, without any number in it."""
    words = [re.sub(r"[0-9_]", "", word) for word in re.split(r"[-.+~]", kernel) if re.search("[a-z]", word)]
    return tuple(words)


def newer_kernel(running: str, installed: list[str], *, has_modules: bool) -> str:
    """The newest installed kernel of the running one's flavour, when the running one is older or is installed no more.

    One that was booted from elsewhere, as from the network, has no file in /boot and its modules all the same.
    """
    names = [name for name in installed if flavour(name) == flavour(running)]
    newest = sorted(names, key=lambda name: [(part.isdigit(), part.zfill(20)) for part in re.split(r"(\d+)", name)])[-1:]
    if not newest or newest[0] == running or (running not in names and has_modules):
        return ""
    return newest[0]


def has_modules(kernel: str, home: str = "/lib/modules") -> bool:
    """Whether the kernel's modules are there: of a kernel that was removed, but not purged, the folder stays without them."""
    return os.path.isdir(os.path.join(home, kernel, "kernel"))  # noqa: PTH112, PTH118 - this file runs on the node


def needs_restarting() -> str:
    """What `needs-restarting` asks a reboot for, where the node has that tool; empty when it does not ask."""
    try:
        done = subprocess.run(
            ["needs-restarting", "-r"],  # noqa: S607 - found by the node's own PATH
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = [line.strip(" *") for line in done.stdout.decode(errors="replace").splitlines() if line.strip().startswith("*")]
    return (", ".join(lines[:5]) or "needs-restarting") if done.returncode == 1 else ""


def main(wanted: dict[str, Any]) -> dict[str, Any]:
    """All facts."""
    kernel = os.uname().release
    installed = [path[len("/boot/vmlinuz-") :] for path in glob.glob("/boot/vmlinuz-*")]  # noqa: PTH207
    newer = newer_kernel(kernel, installed, has_modules=has_modules(kernel))
    system = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)', read("/etc/os-release"), re.MULTILINE))
    return {
        "boot_id": read("/proc/sys/kernel/random/boot_id").strip(),
        "kernel": kernel,
        "kernel_gone": bool(newer) and kernel not in installed and not has_modules(kernel),
        "os": (system.get("ID", "") + " " + system.get("VERSION_ID", "")).strip(),
        "arch": output("dpkg", "--print-architecture").strip(),
        "packages": packages(wanted["packages"]),
        "audit": output("dpkg", "--audit")[:2000],
        "urls": {url: fetch(url) for url in wanted["urls"]},
        "offers": offers(),
        **units(),
        "reboot_required": os.path.exists("/run/reboot-required"),  # noqa: PTH110
        "reboot_packages": sorted(set(read("/run/reboot-required.pkgs").split())),
        "newer_kernel": newer,
        "needs_restarting": needs_restarting(),
    }


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
