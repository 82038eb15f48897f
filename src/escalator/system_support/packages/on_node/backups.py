"""Looks after the backups and operations on this node. Runs on the node; one JSON argument; prints JSON."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import shutil
import sys
import time
from typing import Any

HOME = "/var/lib/escalator"
BACKUPS = HOME + "/backups"
BLOBS = BACKUPS + "/.blobs"
OPERATIONS = HOME + "/operations"
SHOWN = 20


def read(path: str) -> str:
    """Text of a file; empty when it is not there."""
    try:
        with open(path, errors="replace") as file:  # noqa: PTH123 - this file runs on the node
            return file.read()
    except OSError:
        return ""


def sha256(path: str) -> str:
    """Hash of a file; empty when it cannot be read."""
    state = hashlib.sha256()
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            for chunk in iter(lambda: file.read(1 << 20), b""):
                state.update(chunk)
    except OSError:
        return ""
    return state.hexdigest()


def names_in(folder: str) -> list[str]:
    """What is in a folder and is not half made."""
    found = sorted(os.listdir(folder)) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208
    return [name for name in found if not name.startswith(".") and ".part." not in name]


def listed() -> dict[str, Any]:
    """Every backup: its name, its bytes, when it was taken (Unix seconds)."""
    found = []
    for name in names_in(BACKUPS):
        manifest = BACKUPS + "/" + name + "/manifest.json"
        try:
            size = json.loads(read(manifest) or "{}").get("size_bytes", 0)
        except ValueError:
            size = 0
        found.append({"name": name, "size_bytes": size, "taken_at": os.lstat(BACKUPS + "/" + name).st_mtime})
    return {"backups": found}


def verified(name: str, digest: str) -> dict[str, Any]:
    """What of the backup is not what was kept; an empty list when all of it is."""
    folder = BACKUPS + "/" + name
    if not os.path.isdir(folder):  # noqa: PTH112
        return {"there": False, "wrong": ["it is not on the node"]}
    wrong = []
    if digest and "sha256:" + sha256(folder + "/sums") != digest:
        wrong.append("sums")
    sums = dict(line.split("  ", 1)[::-1] for line in read(folder + "/sums").splitlines() if "  " in line)
    wrong += [path for path, total in sums.items() if sha256(folder + "/" + path) != total]
    present = {"debs/" + name for name in names_in(folder + "/debs")}
    wrong += sorted(present - set(sums))
    return {"there": True, "wrong": wrong[:SHOWN]}


def running(folder: str) -> bool:
    """Whether the operation of that folder is under way."""
    if not os.path.isdir(folder + "/started") or os.path.exists(folder + "/rc"):  # noqa: PTH110, PTH112
        return False
    if read(folder + "/started/boot") != read("/proc/sys/kernel/random/boot_id"):
        return False
    command = read("/proc/" + read(folder + "/started/pid").strip() + "/cmdline")
    return folder in command.split("\0")


def sweep_blobs() -> int:
    """Remove contents that no backup uses any more; how many bytes that frees."""
    freed = 0
    for name in os.listdir(BLOBS) if os.path.isdir(BLOBS) else []:  # noqa: PTH112, PTH208
        found = os.lstat(BLOBS + "/" + name)
        if found.st_nlink == 1:
            freed += found.st_size
            os.unlink(BLOBS + "/" + name)  # noqa: PTH108
    return freed


def pruned(names: list[str], older_s: float | None) -> dict[str, Any]:
    """Remove these backups, and operations that ended longer ago than `older_s`. Nothing while an operation is under way."""
    operations = [OPERATIONS + "/" + name for name in names_in(OPERATIONS)]
    lock = open(BACKUPS + "/.lock", "w") if os.path.isdir(BACKUPS) else None  # noqa: PTH112, PTH123, SIM115 - until we end
    try:
        if lock is not None:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return {"busy": True, "backups": [], "operations": 0, "freed_bytes": 0}
    if any(map(running, operations)):
        return {"busy": True, "backups": [], "operations": 0, "freed_bytes": 0}
    for stray in glob.glob(glob.escape(BACKUPS) + "/.gone.*"):  # noqa: PTH207
        shutil.rmtree(stray, ignore_errors=True)
    gone = []
    for name in names:
        folder = BACKUPS + "/" + name
        if os.path.isdir(folder):  # noqa: PTH112
            # By its name first: half of a backup must not look like a whole one, whenever we die.
            os.rename(folder, BACKUPS + "/.gone." + name)  # noqa: PTH104
            shutil.rmtree(BACKUPS + "/.gone." + name)
        gone.append(name)
    freed = sweep_blobs()
    old = [f for f in operations if older_s is not None and time.time() - os.lstat(f).st_mtime > older_s]
    for folder in old:
        shutil.rmtree(folder)
    return {"busy": False, "backups": gone, "operations": len(old), "freed_bytes": freed}


def main(wanted: dict[str, Any]) -> dict[str, Any]:
    """The answer to one question, or what was done."""
    os.umask(0o077)
    if wanted["do"] == "list":
        return listed()
    if wanted["do"] == "verify":
        return verified(wanted["name"], wanted["digest"])
    return pruned(wanted["names"], wanted["older_s"])


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
