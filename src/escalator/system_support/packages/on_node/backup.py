"""Keeps what runs now, so that a rollback needs nobody but this node. Runs on the node; one JSON argument; prints JSON.

Files are kept once per content, under `.blobs` by their hash; each backup is a folder of hard links. A backup that does
not fit on the disk leaves nothing behind and ends with exit code 28.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import Any

HOME = "/var/lib/escalator"
BACKUPS = HOME + "/backups"
BLOBS = BACKUPS + "/.blobs"
SPARE_BYTES = 64 << 20  # what stays free on the disk: the node has to work on
EXIT_NO_SPACE = 28


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


def size(path: str) -> int:
    """Bytes of a file, or of everything below a folder."""
    total = os.lstat(path).st_size
    for root, _, names in os.walk(path):
        total += sum(os.lstat(root + "/" + name).st_size for name in names if os.path.lexists(root + "/" + name))
    return total


def packed(names: list[str]) -> int:
    """At most so many bytes have the packages themselves: less than what is installed of them."""
    total = 0
    for name in names:
        kib = run("dpkg-query", "-W", "-f", "${Installed-Size}", name).stdout.strip()
        total += int(kib) << 10 if kib.isdigit() else 0
    return total


def no_space(message: str) -> None:
    """End because of the disk."""
    sys.stderr.write(message)
    sys.exit(EXIT_NO_SPACE)


def make_sure_of_room(needed: int) -> None:
    """End before anything is written when it would not fit."""
    disk = os.statvfs(BACKUPS)
    free = disk.f_bavail * disk.f_frsize
    if free < needed + SPARE_BYTES:
        no_space("%d MiB are needed and %d MiB are free" % ((needed + SPARE_BYTES) >> 20, free >> 20))  # noqa: UP031


def share(path: str, total: str) -> None:
    """Let a file be a link to the one of the same content, if that is still what its name says."""
    blob = BLOBS + "/" + total
    if os.path.exists(blob) and sha256(blob) == total:  # noqa: PTH110
        os.link(blob, path + ".link")
        os.rename(path + ".link", path)  # noqa: PTH104
    else:
        if os.path.exists(blob):  # noqa: PTH110 - somebody changed it: other backups that use it are damaged
            os.unlink(blob)  # noqa: PTH108
        os.link(path, blob)


def followed(paths: list[str]) -> set[str]:
    """These paths, and where those lead that are links: of a link alone nothing would be kept but its name."""
    found = set(paths)
    for path in filter(os.path.islink, paths):
        target = os.path.realpath(path)
        if target.count("/") < 2:  # the way back removes what is there before it puts back what was kept
            sys.exit("%s leads to %s, which is too much to be kept: name what of it is state" % (path, target))  # noqa: UP031
        found.add(target)
    return found


def backup(wanted: dict[str, Any], part: str) -> dict[str, Any]:
    """Everything that the scope asks for into `part`; returns the manifest."""
    names, scope = wanted["packages"], wanted["scope"]
    versions = installed(names)
    kept = versions if "versions" in scope else {}
    asked = followed(wanted["paths"]) if "state" in scope else set()
    paths = sorted(asked | (configuration(sorted(versions)) if "config" in scope else set()))
    present = [path for path in paths if os.path.lexists(path)]
    make_sure_of_room(sum(map(size, present)) + packed(sorted(kept)))
    lines(part + "/paths", paths)
    lines(part + "/services", services(sorted(versions)))
    lines(part + "/absent", [name for name in names if name not in versions] if "versions" in scope else [])
    lines(part + "/pins", ["%s=%s" % pin for pin in sorted(kept.items())])  # noqa: UP031
    archive = part + "/state.tar"
    done = run("tar", "--numeric-owner", "--acls", "--xattrs", "-cf", archive, "-C", "/", "--", *[path[1:] for path in present])
    # 1: a file changed while it was read. The daemon runs; its state is as consistent as after a power loss.
    if not present:
        run("tar", "-cf", archive, "-T", "/dev/null")
    elif "No space left on device" in done.stdout:
        no_space("the disk became full")
    elif done.returncode > 1:
        sys.exit("tar: " + done.stdout[-500:])
    missing = keep_packages(kept, part)
    large = ["state.tar"] + ["debs/" + name for name in sorted(os.listdir(part + "/debs"))]  # noqa: PTH208
    sums = {name: sha256(part + "/" + name) for name in [*large, "paths", "services", "absent", "pins"]}
    for name in large:
        share(part + "/" + name, sums[name])
    lines(part + "/sums", ["%s  %s" % (total, name) for name, total in sums.items()])  # noqa: UP031
    return {
        "packages": versions,
        "daemon": wanted["daemon"],
        "paths": present,
        "missing": missing,
        "sha256": sums["state.tar"],
        "scope": scope,
        "digest": "sha256:" + sha256(part + "/sums"),
        "size_bytes": sum(os.lstat(part + "/" + name).st_size for name in sums),
        "location": BACKUPS + "/" + wanted["operation"],
    }


def keep(wanted: dict[str, Any], final: str) -> None:
    """Take the backup; whatever fails, only a whole one gets its name."""
    part = final + ".part." + str(os.getpid())
    os.makedirs(part + "/debs")  # noqa: PTH103
    try:
        manifest = backup(wanted, part)
        with open(part + "/manifest.json", "w") as file:  # noqa: PTH123
            json.dump(manifest, file)
        os.sync()
        os.rename(part, final)  # noqa: PTH104
    except OSError as error:
        if error.errno == errno.ENOSPC:
            no_space("the disk became full")
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def main(wanted: dict[str, Any]) -> dict[str, Any]:
    """The manifest of the backup; taken once per operation."""
    os.umask(0o077)
    final = BACKUPS + "/" + wanted["operation"]
    try:
        os.makedirs(BLOBS, exist_ok=True)  # noqa: PTH103
        lock = open(BACKUPS + "/.lock", "w")  # noqa: PTH123, SIM115 - held until the process ends
    except OSError as error:
        if error.errno == errno.ENOSPC:
            no_space("the disk is full")
        raise
    fcntl.flock(lock, fcntl.LOCK_EX)  # another call for the same operation may be at work: its backup is the one
    for stray in glob.glob(glob.escape(BACKUPS) + "/*.part.*"):  # noqa: PTH207
        shutil.rmtree(stray, ignore_errors=True)  # we have the lock: who made it has died
    if not os.path.isdir(final):  # noqa: PTH112
        keep(wanted, final)
    with open(final + "/manifest.json") as file:  # noqa: PTH123
        kept: dict[str, Any] = json.load(file)
    return kept


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
