"""Keeps what runs now, so that a rollback needs nobody but this node. Runs on the node; one JSON argument; prints JSON."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import Any

HOME = "/var/lib/escalator"


def run(*argv: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    """A command's result, both its outputs as one text."""
    return subprocess.run(  # noqa: S603 - argv of ours
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False, cwd=cwd
    )


def installed(names: list[str]) -> dict[str, str]:
    """Version per installed package of these."""
    found = {}
    for name in names:
        done = run("dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${db:Status-Abbrev}\\n", name)
        for line in done.stdout.splitlines() if done.returncode == 0 else ():
            package, version, state = line.split("\t")
            if version and state[1:2] not in ("n", "c"):
                found[package] = version
    return found


def configuration(names: list[str]) -> set[str]:
    """Configuration files of the packages; a folder as a whole where these packages alone own it."""
    paths: set[str] = set()
    for name in names:
        done = run("dpkg-query", "-W", "-f", "${Conffiles}\\n", name)
        for line in done.stdout.splitlines() if done.returncode == 0 else ():
            file = line.split()[0] if line.split() else ""
            if file.startswith("/etc/"):
                folder = os.path.dirname(file)  # noqa: PTH120
                owners = run("dpkg-query", "-S", folder).stdout.rpartition(": ")[0].split(", ")
                own = folder.count("/") >= 2 and all(owner.split(":")[0] in names for owner in owners)
                paths.add(folder if own else file)
    return paths


def services(names: list[str]) -> list[str]:
    """Services of the packages that run now."""
    found: set[str] = set()
    for name in names:
        for path in run("dpkg-query", "-L", name).stdout.splitlines():
            if path.startswith("/etc/init.d/") or (path.endswith(".service") and "/systemd/system/" in path and "@" not in path):
                found.add(os.path.basename(path).replace(".service", ""))  # noqa: PTH119
    if os.path.isdir("/run/systemd/system"):  # noqa: PTH112
        return [s for s in sorted(found) if run("systemctl", "is-active", "-q", s + ".service").returncode == 0]
    return [s for s in sorted(found) if run("service", s, "status").returncode == 0]


def sha256(path: str) -> str:
    """Hash of a file."""
    state = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123
        for chunk in iter(lambda: file.read(1 << 20), b""):
            state.update(chunk)
    return state.hexdigest()


def keep_packages(versions: dict[str, str], part: str) -> list[str]:
    """Fetch the packages that run now; returns those that neither our repository nor apt's cache has."""
    missing = []
    for name, version in sorted(versions.items()):
        before = set(os.listdir(part + "/debs"))  # noqa: PTH208
        run("apt-get", "-q", "-c", HOME + "/apt/apt.conf", "download", name + "=" + version, cwd=part + "/debs")
        if set(os.listdir(part + "/debs")) != before:  # noqa: PTH208
            continue
        for cached in os.listdir("/var/cache/apt/archives"):  # noqa: PTH208
            if cached.startswith("%s_%s_" % (name, version.replace(":", "%3a"))) and cached.endswith(".deb"):  # noqa: UP031
                shutil.copy("/var/cache/apt/archives/" + cached, part + "/debs")
                break
        else:
            missing.append(name + "=" + version)
    return missing


def lines(path: str, items: list[str]) -> None:
    """One item a line, for the shell script of the rollback."""
    with open(path, "w") as file:  # noqa: PTH123
        file.writelines(item + "\n" for item in items)


def backup(wanted: dict[str, Any], part: str) -> dict[str, Any]:
    """Everything into `part`; returns the manifest."""
    names = wanted["packages"]
    versions = installed(names)
    paths = sorted(set(wanted["paths"]) | configuration(sorted(versions)))
    present = [path for path in paths if os.path.lexists(path)]
    lines(part + "/paths", paths)
    lines(part + "/services", services(sorted(versions)))
    lines(part + "/absent", [name for name in names if name not in versions])
    lines(part + "/pins", ["%s=%s" % pin for pin in sorted(versions.items())])  # noqa: UP031
    archive = part + "/state.tar"
    done = run("tar", "--numeric-owner", "--acls", "--xattrs", "-cf", archive, "-C", "/", "--", *[path[1:] for path in present])
    # 1: a file changed while it was read. The daemon runs; its state is as consistent as after a power loss.
    if not present:
        run("tar", "-cf", archive, "-T", "/dev/null")
    elif done.returncode > 1:
        sys.exit("tar: " + done.stdout[-500:])
    missing = keep_packages(versions, part)
    files = ["state.tar"] + ["debs/" + name for name in sorted(os.listdir(part + "/debs"))]  # noqa: PTH208
    sums = {name: sha256(part + "/" + name) for name in files}
    lines(part + "/sums", ["%s  %s" % (total, name) for name, total in sums.items()])  # noqa: UP031
    return {"packages": versions, "daemon": wanted["daemon"], "paths": present, "missing": missing, "sha256": sums["state.tar"]}


def main(wanted: dict[str, Any]) -> dict[str, Any]:
    """The manifest of the backup; taken once per operation."""
    os.umask(0o077)
    final = HOME + "/backups/" + wanted["operation"]
    for stray in glob.glob(glob.escape(final) + ".part.*"):  # noqa: PTH207
        if not os.path.exists("/proc/" + stray.rpartition(".")[2]):  # noqa: PTH110 - who made it has died
            shutil.rmtree(stray)
    if not os.path.isdir(final):  # noqa: PTH112
        part = final + ".part." + str(os.getpid())
        os.makedirs(part + "/debs")  # noqa: PTH103
        manifest = backup(wanted, part)
        with open(part + "/manifest.json", "w") as file:  # noqa: PTH123
            json.dump(manifest, file)
        os.sync()
        try:
            os.rename(part, final)  # noqa: PTH104
        except OSError:
            shutil.rmtree(part)  # another call for the same operation was faster: its backup is the one
    with open(final + "/manifest.json") as file:  # noqa: PTH123
        kept: dict[str, Any] = json.load(file)
    return kept


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
